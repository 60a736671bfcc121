-- Asks a Pixiecore API server that a site has already what a machine boots. See README.md.
--
--   local pixiecore = require "moonboot.pixiecore"
--   rule "as the API says" { boot = pixiecore { api = "http://api.lab:4242" }, on_error = disk }

local read_spec = require "moonboot.pixiecore.spec"

-- Firmware asks several times on its way to a kernel, and gives up on DHCP within a second.
local CACHE = { ttl = 5, stale_if_error = 0 }

local taken = {}

local function check(options)
  if type(options.api) ~= "string" or not options.api:find "^https?://[^/%s]+[^%s]*$" then
    error("pixiecore: api is needed: the URL that stands before /v1/boot/, such as http://api.lab:4242", 3)
  end
  local scripts = options.scripts or "/pixiecore"
  if type(scripts) ~= "string" or not scripts:find "^/[%w_/-]*[%w_-]$" then
    error("pixiecore: scripts is a path, such as /pixiecore", 3)
  elseif taken[scripts] then
    error(('pixiecore: there is one with scripts = "%s" already: give this one a path of its own'):format(scripts), 3)
  end
  taken[scripts] = true
  return scripts
end

-- The client: what http.client knows stands in `options` too, and is checked there.
local function client_of(options)
  local own = { base = options.api, cache = CACHE }
  for key, value in pairs(options) do
    if key ~= "api" and key ~= "scripts" and key ~= "base" then
      own[key] = value
    end
  end
  if own.cache == false then
    own.cache = nil
  end
  return http.client(own)
end

-- For the `boot` of a rule. options.api: what stands before /v1/boot/MAC; options.scripts: the
-- path under which the API's iPXE scripts are handed on, "/pixiecore"; others are http.client's.
return function(options)
  local scripts = check(options)
  local client = client_of(options)

  -- What the API says of a machine -> spec; nil: it does not know it; nil and a problem.
  local function ask(mac)
    local answer, problem, status = client:get("/v1/boot/" .. mac)
    if status == 404 then
      return nil
    elseif problem then
      return nil, problem
    end
    return read_spec(answer, options.api)
  end

  serve(scripts .. "/:mac/script.ipxe") (function(request)
    local mac = request.params.mac
    if request.method == "POST" or not mac:find "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$" then
      return nil
    end
    local spec, problem = ask(mac)
    if problem then
      return nil, problem
    end
    return spec and spec.script and { body = spec.script }
  end)

  return function(machine)
    local mac = machine.mac
    if not mac then
      return nil
    end
    local spec, problem = ask(mac)
    if not spec then
      return nil, problem
    elseif spec.message then
      log.info(mac .. ": the API says: " .. spec.message)
    end
    if spec.script then
      return chain(("%s/%s/script.ipxe"):format(scripts, mac))
    end
    return { kernel = spec.kernel, initrd = spec.initrd, args = spec.args }
  end
end
