"""What stands between a caller and a capability that is slow, failing or overloaded."""

from pea.runtime.policy.breaker import Breaker, BreakerState, BreakerView
from pea.runtime.policy.effective import Effective, check_policies, effective

__all__ = ["Breaker", "BreakerState", "BreakerView", "Effective", "check_policies", "effective"]
