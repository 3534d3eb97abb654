// What a capability takes, from its JSON schema: an example to start from, and its fields in words.

function resolve(schema, root) {
  const name = schema?.$ref?.split("/").pop();
  return name ? { ...root.$defs?.[name], ...schema, $ref: undefined } : schema ?? {};
}

function example(schema, root, depth = 0) {
  const one = resolve(schema, root);
  if (one.default !== undefined) return one.default;
  if (one.const !== undefined) return one.const;
  if (one.enum) return one.enum[0];
  const choice = one.anyOf ?? one.oneOf;
  if (choice) return choice.some((part) => part.type === "null") ? null : example(choice[0], root, depth + 1);
  switch (one.type) {
    case "object": return depth > 4 ? {} : required(one, root, depth);
    case "array": return [];
    case "integer": case "number": return one.minimum ?? 0;
    case "boolean": return false;
    case "null": return null;
    default: return textual(one.format);
  }
}

function textual(format) {
  const now = new Date();
  if (format === "date") return now.toISOString().slice(0, 10);
  if (format === "date-time") return now.toISOString();
  return "";
}

function required(schema, root, depth) {
  const wanted = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).filter(([name]) => wanted.has(name));
  return Object.fromEntries(fields.map(([name, field]) => [name, example(field, root, depth + 1)]));
}

export function startingInput(schema) {
  return required(resolve(schema, schema), schema, 0);
}

function kind(schema, root) {
  const one = resolve(schema, root);
  if (one.enum) return one.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (one.const !== undefined) return JSON.stringify(one.const);
  const choice = one.anyOf ?? one.oneOf;
  if (choice) return choice.map((part) => kind(part, root)).join(" | ");
  if (one.type === "array") return `list of ${kind(one.items, root)}`;
  return one.format ?? one.title ?? one.type ?? "anything";
}

export function fields(schema) {
  const one = resolve(schema, schema);
  const wanted = new Set(one.required ?? []);
  return Object.entries(one.properties ?? {}).map(([name, field]) => ({
    name,
    kind: kind(field, schema),
    required: wanted.has(name),
    about: resolve(field, schema).description ?? "",
  }));
}
