"""What Redis does in one step for L3: begin and end a computation, and invalidate.

A generation is a random token under a group's key. Deleting it invalidates the group, even in a full server: an
absent generation matches nothing, and the next one differs. A lease is the token of the one computation whose value
may be written; deleting it voids the write.
"""

from __future__ import annotations

#: KEYS: lease, value, generations …; ARGV: token, lease ms, generation ms. Gives 1 if the lease is ours, then what
#: stands as value (another's, written since we looked), then the generations.
BEGIN = """
local generations = {}
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], ARGV[1], 'NX', 'PX', ARGV[3])
  generations[i - 2] = redis.call('GET', KEYS[i])
end
local ours = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
local value = redis.pcall('GET', KEYS[2])
if type(value) ~= 'string' then value = false end
return {ours and 1 or 0, value, generations}
"""

#: KEYS: lease, value; ARGV: token, record, time to live in ms. Gives 1 if the record was kept.
WRITE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[1])
return 1
"""

#: KEYS: lease; ARGV: token.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

#: KEYS: sequence number, then what to delete …; ARGV: channel, message. Gives sequence number (0: unknown) and hearers.
INVALIDATE = """
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
local number = redis.pcall('INCR', KEYS[1])
if type(number) ~= 'number' then number = 0 end
return {number, redis.call('PUBLISH', ARGV[1], number .. ' ' .. ARGV[2])}
"""
