-- matchbox's data directory: its groups, and what the profiles that they name serve.
--
-- A group is { file =, id =, name =, profile =, selector =, mac =, uuid =, count =, order =,
-- metadata = }, of which mac and uuid are the selectors that DHCP can tell; a profile
-- { boot =, ignition =, cloud =, generic = }, of which it has what it names and what could be
-- read: boot is { kernel =, initrd =, args = }; ignition { body = } or { problem = };
-- cloud and generic are templates. What matchbox would pass over with a line in its log is
-- told to `report`.

local fields = require "moonboot.matchbox.fields"
local gotemplate = require "moonboot.gotemplate"
local ignition = require "moonboot.matchbox.ignition"
local web = require "moonboot.matchbox.web"

local store = {}

local Store = {}
Store.__index = Store

--- Groups --------------------------------------------------------------------------------

local function read_group(text, file)
  local object = fields.decode(text)
  local group = {
    file = file, id = fields.text(object, "id"), name = fields.text(object, "name"),
    profile = fields.text(object, "profile"), selector = {}, count = 0,
    metadata = fields.object(object, "metadata") or {},
  }
  -- A group without selectors means every machine: [], which looks like {} when it is
  -- decoded, must not.
  if text:lower():find '"selector"%s*:%s*%[' then
    fields.fail "selector: found a list, expected an object"
  end
  local pairs_of = {}
  for key, value in pairs(fields.object(object, "selector") or {}) do
    if value == json.null then
      value = ""
    elseif type(value) ~= "string" then
      fields.fail("selector.%s: found a %s, expected text", key, type(value))
    end
    if key:lower() == "mac" then
      value = web.mac(value) or fields.fail("selector.%s: %q is no MAC address", key, value)
      group.mac = value
    elseif key:lower() == "uuid" then
      group.uuid = value:lower()
    end
    group.selector[key], group.count = value, group.count + 1
    pairs_of[#pairs_of + 1] = key .. "=" .. value
  end
  table.sort(pairs_of)
  group.order = table.concat(pairs_of, ",")
  return group
end

-- Most selectors first; among as many, the last by its selectors' text.
local function before(a, b)
  if a.count ~= b.count then
    return a.count > b.count
  elseif a.order ~= b.order then
    return a.order > b.order
  end
  return a.file < b.file
end

function Store:read_groups()
  local seen = {}
  for _, name in ipairs(list(self:path "groups")) do
    local base = name:match "^(.*)%." or name
    local file = self:path("groups/" .. base .. ".json")
    if name:sub(-1) ~= "/" and not seen[base] then
      seen[base] = true
      local text = read(file, false)
      local group, problem
      if text then
        group, problem = fields.attempt(read_group, text, file)
      end
      if group then
        self.groups[#self.groups + 1] = group
      elseif problem then
        self.report(file, problem)
      end
    end
  end
  table.sort(self.groups, before)
end

-- Groups that ask for a MAC address are found by it; only the others are tried in turn.
function Store:index()
  for rank, group in ipairs(self.groups) do
    group.rank = rank
    local mac = group.selector.mac
    local among = self.others
    if mac then
      among = self.by_mac[mac] or {}
      self.by_mac[mac] = among
    end
    among[#among + 1] = group
  end
end

local function first_match(groups, labels)
  for _, group in ipairs(groups or {}) do
    local all = true
    for key, value in pairs(group.selector) do
      all = all and (labels[key] or "") == value
    end
    if all then
      return group
    end
  end
end

-- The group that labels select, or nil.
function Store:select(labels)
  local a = first_match(self.by_mac[labels.mac or ""], labels)
  local b = first_match(self.others, labels)
  return a and b and (a.rank < b.rank and a or b) or a or b
end

--- Profiles ------------------------------------------------------------------------------

-- A path below the data directory: ".." leads no further up than that.
function Store:path(name)
  local parts = {}
  for part in name:gmatch "[^/]+" do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return self.root .. table.concat(parts, "/")
end

-- The file of a kind of document that a profile names -> text, path | nil.
function Store:document(kind, id, profile)
  if id == "" then
    return nil
  end
  local path = self:path(kind .. "/" .. id)
  local text = read(path, false)
  if not text then
    self.report(path, ("there is no such file, but profile %q names it"):format(profile))
  end
  return text or nil, path
end

function Store:template(kind, id, profile)
  local text, path = self:document(kind, id, profile)
  if not text then
    return nil
  end
  local template, problem = gotemplate.parse(path, text)
  if not template then
    self.report(nil, problem)
  end
  return template
end

function Store:ignition(id, profile)
  local text, path = self:document("ignition", id, profile)
  if not text then
    return nil
  end
  local body, problem
  if id:find "%.ign$" or id:find "%.ignition$" then
    body, problem = ignition.serve(text)
  else
    problem = "Butane is not converted here: butane " .. path .. " > FILE.ign, and name that in the profile"
  end
  if not body then
    self.report(path, problem)
    return { problem = path .. ": " .. problem }
  end
  return { body = body }
end

local function read_profile(text)
  local object = fields.decode(text)
  local boot = fields.object(object, "boot")
  if fields.text(object, "id") == "" then
    fields.fail "it has no id"
  end
  return {
    ignition = fields.text(object, "ignition_id"), cloud = fields.text(object, "cloud_id"),
    generic = fields.text(object, "generic_id"),
    boot = boot and {
      kernel = fields.text(boot, "kernel"), initrd = fields.texts(boot, "initrd"), args = fields.texts(boot, "args"),
    },
  }
end

function Store:read_profile(group)
  local id = group.profile
  local path = self:path("profiles/" .. id .. ".json")
  local text = id ~= "" and read(path, false)
  local found, problem
  if text then
    found, problem = fields.attempt(read_profile, text)
  end
  if id == "" then
    self.report(group.file, "it names no profile")
    return nil
  elseif not found then
    self.report(path, problem or "there is no such file, but " .. group.file .. " names this profile")
    return nil
  end
  return {
    boot = found.boot,
    ignition = self:ignition(found.ignition, id),
    cloud = self:template("cloud", found.cloud, id),
    generic = self:template("generic", found.generic, id),
  }
end

-- The profile of a group, or nil.
function Store:profile(group)
  return group and self.profiles[group.profile]
end

-- Whether a group could mean a machine of which no more than this is known yet.
function Store:may_mean(mac, uuid)
  local function possible(groups)
    for _, group in ipairs(groups or {}) do
      if (not group.mac or group.mac == mac) and (not group.uuid or not uuid or group.uuid == uuid) then
        return true
      end
    end
    return false
  end
  return possible(self.by_mac[mac or ""]) or possible(self.others)
end

-- Reads the directory `root`.
function store.open(root, report)
  root = root:gsub("/+$", "")
  local self = setmetatable({
    root = root == "." and "" or root .. "/", report = function(file, problem)
      report(file and file .. ": " .. problem or problem)
    end,
    groups = {}, by_mac = {}, others = {}, profiles = {},
  }, Store)
  self:read_groups()
  self:index()
  for _, group in ipairs(self.groups) do
    if self.profiles[group.profile] == nil then
      self.profiles[group.profile] = self:read_profile(group) or false
    end
  end
  return self
end

return store
