-- NetBox says what each machine is: staged ones are installed, active ones start their disk.

local netbox = require("netbox") {
  url   = "http://netbox.lab:8000",
  token = read("netbox.token"):match "%S+",
  ttl   = 30,    -- seconds until NetBox is asked again
  stale = 86400, -- for a day what it said will do, when it is away
}

-- By the slug of the device's platform in NetBox.
for _, name in ipairs { "debian-12", "el9" } do
  profile(name) {
    kernel = name .. "/vmlinuz",
    initrd = name .. "/initrd.img",
    args   = { "hostname={{name}}", "ds=nocloud-net;s={{config 'seed/'}}" },
    config = { ["seed/user-data"] = template "user-data.yaml", ["seed/meta-data"] = "instance-id: {{id}}\n" },
    vars   = { name = "", id = 0, role = "", ntp = {} },
  }
end

-- The argument of the custom field kernel_args, taken apart at spaces.
local function words_of(text)
  local list = {}
  for word in (type(text) == "string" and text or ""):gmatch "%S+" do
    list[#list + 1] = word
  end
  return list
end

-- What NetBox said before we wrote there does not count any more: an old answer, when NetBox is
-- away, is never one more installation.
local function overtaken(device)
  local written = state.get("netbox/" .. device.id)
  return written and tostring(device.updated) < written.updated and written.status or nil
end

local function install(device)
  local ntp = device.context.ntp_servers
  return {
    use  = device.platform,
    args = words_of(device.fields.kernel_args),
    vars = { name = device.name, id = device.id, role = device.role or "", ntp = type(ntp) == "table" and ntp or {} },
  }
end

rule "what NetBox says" {
  match    = { mac = present },
  boot     = function(machine)
    local device, problem = netbox.device(machine.mac)
    if not device then
      return nil, problem -- without a problem: NetBox does not know it, and the next rule decides
    end
    local status = overtaken(device) or device.status
    if status == "active" then
      return disk
    elseif status ~= "staged" then
      return deny(("%s is %s in NetBox"):format(device.name, tostring(status)))
    elseif not device.platform then
      return nil, device.name .. " has no platform in NetBox"
    end
    return install(device)
  end,
  on_error = disk,
}

rule "strangers" { boot = ignore }

-- The installer's last act. While NetBox is away this fails, and the installer tries again.
on("installed", function(machine)
  local device, problem = netbox.device(machine.mac)
  assert(device, problem or "NetBox does not know " .. machine.mac)
  local now
  now, problem = netbox.set_status(device.id, "active")
  assert(now, problem)
  assert(state.set("netbox/" .. device.id, { status = "active", updated = now.updated }, { ttl = 90000 }))
end)
