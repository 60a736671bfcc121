-- NetBox's REST API, as much of it as a boot needs: devices by MAC address, and their status.
--
--   local netbox = require("netbox") { url = "https://netbox.lab", token = "…" }
--   local device, problem = netbox.device(machine.mac)

local PAGES = 10 -- of interfaces with one address; more are nobody's network

-- null, as JSON has it, is nothing here.
local function some(value)
  if value ~= json.null then
    return value
  end
end

local function slug(value)
  value = some(value)
  return type(value) == "table" and value.slug or nil
end

-- What is wanted of a device; NetBox before 4.0 calls the role device_role.
local function brief(device)
  local status = some(device.status)
  return {
    id       = device.id,
    name     = some(device.name) or device.display,
    status   = type(status) == "table" and status.value or nil,
    platform = slug(device.platform),
    role     = slug(device.role) or slug(device.device_role),
    site     = slug(device.site),
    serial   = some(device.serial),
    fields   = some(device.custom_fields) or {},
    context  = some(device.config_context) or {},
    updated  = device.last_updated,
  }
end

-- The ids of the devices whose interfaces are on a page, added to a set.
local function collect(page, ids)
  if type(page) ~= "table" or type(page.results) ~= "table" then
    return nil, "NetBox's answer is no list"
  end
  for _, interface in ipairs(page.results) do
    local device = some(interface.device)
    if type(device) ~= "table" or type(device.id) ~= "number" then
      return nil, "NetBox's answer names no device"
    end
    ids[device.id] = true
  end
  return true
end

return function(options)
  local server = http.client {
    base    = options.url,
    ca      = options.ca,
    timeout = options.timeout or 3,
    headers = { Authorization = "Token " .. options.token, Accept = "application/json" },
    cache   = { ttl = options.ttl or 30, stale_if_error = options.stale or 86400 },
  }
  local netbox = {}

  -- Of `next` only the query counts: a NetBox behind a proxy names a host that it is not, and who
  -- knows to whom the token would go.
  local function interfaces(mac)
    local ids, query = {}, "mac_address=" .. mac
    for _ = 1, PAGES do
      local page, problem = server:get("/api/dcim/interfaces/?" .. query)
      local ok
      if problem then
        return nil, problem
      end
      ok, problem = collect(page, ids)
      if not ok then
        return nil, problem
      end
      local more = some(page.next)
      if not more then
        return ids
      end
      query = tostring(more):match "%?(.*)$"
      if not query then
        return nil, "NetBox's next page has no query"
      end
    end
    return nil, ("NetBox has more than %d pages of interfaces with %s"):format(PAGES, mac)
  end

  -- The device that has this address -> device; nil: there is none; nil and a problem.
  function netbox.device(mac)
    local ids, problem = interfaces(mac)
    if not ids then
      return nil, problem
    end
    local id = next(ids)
    if not id then
      return nil
    elseif next(ids, id) then
      return nil, ("NetBox has more than one device with %s"):format(mac)
    end
    local device
    device, problem = server:get(("/api/dcim/devices/%d/"):format(id))
    if problem then
      return nil, problem
    elseif type(device) ~= "table" or device.id ~= id then
      return nil, "NetBox's answer is no device"
    end
    return brief(device)
  end

  -- Writes a device's status -> the device as it is then | nil, problem.
  function netbox.set_status(id, status)
    local device, problem = server:patch(("/api/dcim/devices/%d/"):format(id), { status = status })
    return device and brief(device), problem
  end

  return netbox
end
