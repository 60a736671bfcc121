-- matchbox's HTTP API over matchbox's data directory: see matchbox/README.md.
--
--   local matchbox = require "moonboot.matchbox"
--   matchbox { data = "matchbox" }

local bodies = require "moonboot.matchbox.bodies"
local gotemplate = require "moonboot.gotemplate"
local open = require("moonboot.matchbox.store").open
local web = require "moonboot.matchbox.web"

local NOT_FOUND = { body = bodies.not_found, status = 404 }

-- What templates and /metadata see: the group's metadata, its selectors over them, and the
-- request.
local function data_of(group, labels, query)
  local data = {}
  for key, value in pairs(group.metadata) do
    data[key] = value
  end
  for key, value in pairs(group.selector) do
    data[key:lower()] = value
  end
  data.request = { query = gotemplate.texts(labels), raw_query = query }
  return data
end

-- The text of a profile's template for this request; nil when there is none, or it fails.
local function rendered(template, group, labels, query)
  if not template then
    return nil
  end
  local text, problem = template:render(data_of(group, labels, query), true)
  if not text then
    log.warn(problem)
  end
  return text
end

-- The handlers: group | nil, profile | nil, labels, query -> reply; nil is 404.
local answers = {}

answers["/ipxe"] = function(_, profile)
  return profile and profile.boot and bodies.ipxe(profile.boot)
end

answers["/grub"] = function(_, profile)
  return profile and profile.boot and bodies.grub(profile.boot)
end

answers["/ignition"] = function(_, profile)
  local found = profile and profile.ignition
  if found and found.problem then
    log.error(found.problem)
    return { body = "moonboot: " .. found.problem .. "\n", status = 501 }
  end
  return found and { body = found.body, type = "application/json" }
end

answers["/cloud"] = function(group, profile, labels, query)
  local body = rendered(profile and profile.cloud, group, labels, query)
  local first = body and body:match("^[^\n]*"):gsub("\r$", "")
  if first == "#cloud-config" or first and first:find "^#!" then
    return { body = body, type = web.type(body) }
  elseif body then
    log.warn "/cloud: the text starts neither with #cloud-config nor with #!"
  end
end

answers["/generic"] = function(group, profile, labels, query)
  local body = rendered(profile and profile.generic, group, labels, query)
  return body and { body = body, type = web.type(body) }
end

answers["/metadata"] = function(group, _, labels, query)
  return group and {
    body = bodies.metadata(data_of(group, labels, query)), type = "plain/text",
  }
end

local function serve_all(data)
  serve "/" (function() return bodies.home end)
  serve "/boot.ipxe" (function() return bodies.ask end)
  serve "/boot.ipxe.0" (function() return bodies.ask end)
  for path, answer in pairs(answers) do
    serve(path)(function(request)
      local labels = web.labels(request.raw_query)
      local group = data:select(labels)
      return answer(group, data:profile(group), labels, request.raw_query) or NOT_FOUND
    end)
  end
end

local known = { data = "string", machines = "string", strict = "boolean" }

local function check(options)
  if type(options) ~= "table" then
    error('matchbox is followed by a table: matchbox { data = "matchbox" }', 3)
  end
  for key, value in pairs(options) do
    if not known[key] then
      error(("matchbox: unknown key %q"):format(tostring(key)), 3)
    elseif type(value) ~= known[key] then
      error(("matchbox: %s is a %s, expected a %s"):format(key, type(value), known[key]), 3)
    end
  end
  local machines = options.machines or "selected"
  if machines ~= "selected" and machines ~= "all" then
    error(('matchbox: machines is %q, expected "selected" or "all"'):format(machines), 3)
  elseif not options.data or options.data == "" then
    error("matchbox: data is missing, the directory with groups and profiles", 3)
  end
  return machines
end

-- Serves a data directory, and sends machines there.
return function(options)
  local machines = check(options)
  local problems = {}
  local data = open(options.data, function(problem)
    problems[#problems + 1] = problem
  end)
  if options.strict and #problems > 0 then
    error("matchbox: " .. table.concat(problems, "\n  "), 2)
  end
  for _, problem in ipairs(problems) do
    log.warn(problem)
  end
  serve_all(data)
  rule "matchbox" {
    match = machines == "selected" and function(machine)
      return data:may_mean(machine.mac, machine.uuid)
    end or nil,
    boot = chain "/boot.ipxe",
  }
end
