-- Ignition configs as matchbox serves them: read by the specification 3.3.0 and written anew,
-- members in the specification's order, unknown ones left out, sections that are missing
-- added.
--
-- A schema is a list of members: a name alone is a value of that kind, which is left out
-- when it is absent; `always` writes it even then (as ""), `filled` leaves it out when it is
-- zero; a table is an object, which is always there; `list` of either is left out when empty.

local ignition = {}

local function text(name) return { name = name, kind = "string" } end
local function int(name) return { name = name, kind = "number" } end
local function bool(name) return { name = name, kind = "boolean" } end
local function always(name) return { name = name, kind = "string", always = true } end
local function filled(member) member.filled = true return member end
local function object(name, members) return { name = name, members = members } end
local function objects(name, members) return { name = name, members = members, list = true } end
local function texts(name) return { name = name, kind = "string", list = true } end

local function joined(...)
  local members = {}
  for _, part in ipairs { ... } do
    for _, member in ipairs(part) do
      members[#members + 1] = member
    end
  end
  return members
end

local resource = {
  text "compression", objects("httpHeaders", { always "name", text "value" }), text "source",
  object("verification", { text "hash" }),
}
local owner = { int "id", text "name" }
local node = { object("group", owner), bool "overwrite", always "path", object("user", owner) }

local storage = {
  objects("directories", joined(node, { int "mode" })),
  objects("disks", {
    always "device",
    objects("partitions", {
      text "guid", text "label", filled(int "number"), bool "resize", bool "shouldExist",
      int "sizeMiB", int "startMiB", text "typeGuid", bool "wipePartitionEntry",
    }),
    bool "wipeTable",
  }),
  objects("files", joined(node, {
    objects("append", resource), object("contents", resource), int "mode",
  })),
  objects("filesystems", {
    always "device", text "format", text "label", texts "mountOptions", texts "options",
    text "path", text "uuid", bool "wipeFilesystem",
  }),
  objects("links", joined(node, { bool "hard", text "target" })),
  objects("luks", {
    object("clevis", {
      object("custom", { text "config", bool "needsNetwork", text "pin" }),
      objects("tang", { text "thumbprint", filled(text "url") }), int "threshold", bool "tpm2",
    }),
    text "device", object("keyFile", resource), text "label", always "name", texts "options",
    text "uuid", bool "wipeVolume",
  }),
  objects("raid", {
    texts "devices", text "level", always "name", texts "options", int "spares",
  }),
}

local passwd = {
  objects("groups", {
    int "gid", always "name", text "passwordHash", bool "shouldExist", bool "system",
  }),
  objects("users", {
    text "gecos", texts "groups", text "homeDir", always "name", bool "noCreateHome",
    bool "noLogInit", bool "noUserGroup", text "passwordHash", text "primaryGroup",
    bool "shouldExist", texts "sshAuthorizedKeys", text "shell", bool "system", int "uid",
  }),
}

local config = {
  object("ignition", {
    object("config", { objects("merge", resource), object("replace", resource) }),
    object("proxy", { text "httpProxy", text "httpsProxy", texts "noProxy" }),
    object("security", { object("tls", { objects("certificateAuthorities", resource) }) }),
    object("timeouts", { int "httpResponseHeaders", int "httpTotal" }),
    always "version",
  }),
  object("kernelArguments", { texts "shouldExist", texts "shouldNotExist" }),
  object("passwd", passwd),
  object("storage", storage),
  object("systemd", {
    objects("units", {
      text "contents", objects("dropins", { text "contents", always "name" }), bool "enabled",
      bool "mask", always "name",
    }),
  }),
}

--- Writing -------------------------------------------------------------------------------

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- As Go quotes in JSON, where what could end a script is escaped too.
local function quoted(value)
  value = value:gsub('[%z\1-\31"\\<>&]', function(c)
    return ESCAPES[c] or ("\\u%04x"):format(c:byte())
  end)
  return '"' .. value:gsub("\226\128([\168\169])", { ["\168"] = "\\u2028", ["\169"] = "\\u2029" }) .. '"'
end

local function fail(where, value, expected)
  error({ text = ("%s: found %s, expected %s"):format(where, type(value), expected) }, 0)
end

local write_object

local function write_one(member, value, where)
  if member.members then
    return write_object(member.members, value, where)
  elseif type(value) ~= member.kind or member.kind == "number" and value % 1 ~= 0 then
    fail(where, value, member.kind)
  end
  return member.kind == "string" and quoted(value)
    or member.kind == "number" and ("%.0f"):format(value) or tostring(value)
end

local function write_list(member, value, where)
  if type(value) ~= "table" or next(value) ~= nil and #value == 0 then
    fail(where, value, "a list")
  end
  local items = {}
  for i, item in ipairs(value) do
    items[i] = write_one(member, item, ("%s[%d]"):format(where, i))
  end
  return "[" .. table.concat(items, ",") .. "]"
end

-- A member's value as text; nil: it is left out.
local function write_member(member, value, where)
  if value == json.null then
    value = nil
  end
  if member.list then
    return value and next(type(value) == "table" and value or { true }) ~= nil
      and write_list(member, value, where) or nil
  elseif member.members then
    return write_one(member, value or {}, where)
  elseif value == nil then
    return member.always and '""' or nil
  elseif member.filled and (value == 0 or value == "") then
    return nil
  end
  return write_one(member, value, where)
end

function write_object(members, value, where)
  if type(value) ~= "table" or value[1] ~= nil then
    fail(where, value, "an object")
  end
  local parts = {}
  for _, member in ipairs(members) do
    local name = member.name
    local written = write_member(member, value[name], where == "" and name or where .. "." .. name)
    if written then
      parts[#parts + 1] = '"' .. name .. '":' .. written
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local COMPATIBLE = { ["3.0.0"] = true, ["3.1.0"] = true, ["3.2.0"] = true, ["3.3.0"] = true }

-- A config's text -> what is served | nil, what is wrong with it. Configs of other versions
-- are served as they are.
function ignition.serve(source)
  local value, problem = json.decode(source)
  if value == nil then
    return nil, "no JSON: " .. problem
  end
  local head = type(value) == "table" and value.ignition
  if type(head) ~= "table" or type(head.version) ~= "string" then
    return nil, "no Ignition config: it has no ignition.version"
  elseif not COMPATIBLE[head.version] then
    return source
  end
  head.version = "3.3.0"
  local ok, result = pcall(write_object, config, value, "")
  if ok then
    return result
  elseif type(result) == "table" then
    return nil, result.text
  end
  error(result, 0)
end

return ignition
