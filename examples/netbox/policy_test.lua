-- Tests policy.lua against answers of NetBox's shape (4.1), cut down to what stands in their way.

local MAC = "52:54:00:12:34:56"
local API = "http://netbox.lab:8000/api/dcim/"
local INTERFACES = "GET " .. API .. "interfaces/?mac_address=" .. MAC
local DEVICE, PATCH = "GET " .. API .. "devices/7/", "PATCH " .. API .. "devices/7/"

local function interface(id, name, device)
  return { id = id, name = name, mac_address = MAC:upper(), enabled = true, mgmt_only = false,
           device = { id = device, name = "n" .. device, display = "n" .. device } }
end

local function page(results, more)
  return { json = { count = #results, next = more or json.null, previous = json.null,
                    results = json.array(results) } }
end

-- Device 7, with some of it changed.
local function device(changes)
  local it = {
    id = 7, name = "n7", display = "n7", serial = "R5QNN72", asset_tag = json.null,
    last_updated = "2026-11-26T14:00:00.5Z",
    status = { value = "staged", label = "Staged" }, site = { id = 1, slug = "lab" },
    role = { id = 2, name = "Worker", slug = "worker" }, platform = { id = 3, name = "Debian 12", slug = "debian-12" },
    custom_fields = { kernel_args = "console=ttyS1,115200n8 quiet" },
    config_context = { ntp_servers = { "10.0.0.1", "ntp.lab" } },
  }
  for key, value in pairs(changes or {}) do
    it[key] = value
  end
  return { json = it }
end

local function knows(changes)
  return { [INTERFACES] = page { interface(1, "eth0", 7) }, [DEVICE] = device(changes) }
end

local function status(value)
  return { status = { value = value, label = value } }
end

test "a staged device is installed, as its platform says" {
  given  = { mac = MAC, arch = "efi-x64" },
  http   = knows(),
  expect = {
    rule = "what NetBox says", boot = "debian-12",
    args = contains { "hostname=n7", "console=ttyS1,115200n8", "quiet" },
    golden = { ipxe = "n7.ipxe", ["config/seed/user-data"] = "n7.user-data" },
  },
}

test "by DHCP too" {
  given  = { mac = MAC, arch = "efi-x64", stage = "dhcp" },
  http   = knows(),
  expect = { verdict = "boot" },
}

test "NetBox is asked with the token" {
  given  = { mac = MAC },
  http   = {
    [INTERFACES] = function(request)
      if request.headers.authorization ~= "Token 0123456789abcdef0123456789abcdef01234567" then
        return { status = 403 }
      end
      return page {}
    end,
  },
  expect = { rule = "strangers", boot = "ignore" },
}

test "what a device is decides" {
  given  = { mac = MAC },
  expect = { rule = "what NetBox says" },
  cases  = {
    active          = { http = knows(status "active"), expect = { boot = "disk" } },
    planned         = { http = knows(status "planned"), expect = { boot = "deny", why = "n7 is planned in NetBox" } },
    decommissioning = { http = knows(status "decommissioning"), expect = { boot = "deny" } },
    failed          = { http = knows(status "failed"), expect = { boot = "deny" } },
    ["no status"]   = { http = knows { status = json.null }, expect = { boot = "deny" } },
    ["another platform"] = { http = knows { platform = { slug = "el9" } }, expect = { boot = "el9" } },
  },
}

test "what a device need not have" {
  given  = { mac = MAC },
  expect = { boot = "debian-12" },
  cases  = {
    ["no name"]   = { http = knows { name = json.null, display = "rack 1" },
                      expect = { args = contains "hostname=rack 1" } },
    ["no fields"] = { http = knows { custom_fields = {}, config_context = {} },
                      expect = { config = { ["seed/user-data"] = lacks "ntp" } } },
    ["null ones"] = { http = knows { custom_fields = { kernel_args = json.null }, config_context = json.null } },
    ["the role of NetBox 3"] = {
      http = knows { role = json.null, device_role = { slug = "storage" } },
      expect = { config = { ["seed/user-data"] = contains "storage" } },
    },
    ["no role"] = { http = knows { role = json.null } },
  },
}

test "interfaces on several pages" {
  given  = { mac = MAC },
  http   = {
    [INTERFACES] = page({ interface(1, "eth0", 7) },
                        "https://elsewhere.example/api/dcim/interfaces/?limit=1&mac_address=" .. MAC .. "&offset=1"),
    ["GET " .. API .. "interfaces/?limit=1&mac_address=" .. MAC .. "&offset=1"] = page { interface(2, "bond0", 7) },
    [DEVICE] = device(),
  },
  expect = { boot = "debian-12" },
}

local function fails(http, why)
  return { http = http, expect = { error = contains(why) } }
end

local function changed(changes, why)
  return fails(knows(changes), why)
end

test "whatever goes wrong starts the disk" {
  given  = { mac = MAC },
  expect = { rule = "what NetBox says", boot = "disk" },
  cases  = {
    down           = fails({ [INTERFACES] = { unreachable = true } }, "netbox.lab"),
    slow           = { http = { [INTERFACES] = { delay = 10 } }, expect = { took = 3, error = contains "netbox.lab" } },
    ["no token"]   = fails({ [INTERFACES] = { status = 403 } }, "status 403"),
    broken         = fails({ [INTERFACES] = page { interface(1, "eth0", 7) }, [DEVICE] = { status = 500 } },
                           "status 500"),
    rubbish        = fails({ [INTERFACES] = { body = "<html>" } }, "NetBox's answer is no list"),
    ["no results"] = fails({ [INTERFACES] = { json = { count = 0 } } }, "NetBox's answer is no list"),
    ["no device"]  = fails({ [INTERFACES] = page { { id = 1, device = json.null } } }, "answer names no device"),
    ["a list"]     = fails({ [INTERFACES] = page { interface(1, "eth0", 7) }, [DEVICE] = { json = { id = 8 } } },
                           "NetBox's answer is no device"),
    ["two devices"] = fails({ [INTERFACES] = page { interface(1, "eth0", 7), interface(2, "eth0", 8) } },
                            "more than one device with " .. MAC),
    ["a next page that is none"] = fails({ [INTERFACES] = page({ interface(1, "eth0", 7) }, "x") },
                                         "NetBox's next page has no query"),
    ["pages without end"] = fails({ ["GET " .. API .. "interfaces/*"] =
                                    page({ interface(1, "eth0", 7) }, "http://x/?mac_address=" .. MAC) },
                                  "more than 10 pages"),
    ["no platform"] = changed({ platform = json.null }, "n7 has no platform in NetBox"),
    ["a platform that is no profile"] = changed({ platform = { slug = "cumulus" } }, 'there is no profile "cumulus"'),
    ["a template in a field"] = changed({ custom_fields = { kernel_args = "a={{mac}}" } }, "{{"),
  },
}

test "installed: NetBox is told, and the disk is started" {
  given = { mac = MAC },
  http  = {
    [INTERFACES] = page { interface(1, "eth0", 7) },
    [DEVICE]     = { device(), device { status = { value = "active" }, last_updated = "2026-11-26T15:00:00.1Z" } },
    [PATCH]      = function(request)
      assert(request.body == '{"status":"active"}', request.body)
      return device { status = { value = "active" }, last_updated = "2026-11-26T15:00:00.1Z" }
    end,
  },
  steps = {
    expect { boot = "debian-12" },
    event "installed",
    expect { boot = "disk" },     -- whatever was kept of before
    wait(60),
    expect { boot = "disk" },     -- and NetBox says so itself
  },
}

test "with NetBox away, what it said before is no new installation" {
  given = { mac = MAC },
  http  = {
    [INTERFACES] = { page { interface(1, "eth0", 7) }, { unreachable = true } },
    [DEVICE]     = { device(), { unreachable = true } },
    [PATCH]      = device { status = { value = "active" }, last_updated = "2026-11-26T15:00:00.1Z" },
  },
  steps = {
    event "installed",
    wait(3600),
    expect { boot = "disk" },
    wait(86400),
    expect { boot = "disk", error = contains "netbox.lab" },
  },
}

test "staged once more, it is installed once more" {
  given  = { mac = MAC },
  state  = { ["netbox/7"] = { status = "active", updated = "2026-11-26T15:00:00.1Z" } },
  cases  = {
    since  = { http = knows { last_updated = "2026-11-27T09:00:00.0Z" }, expect = { boot = "debian-12" } },
    before = { http = knows(), expect = { boot = "disk" } },
  },
}

test "strangers are left alone" {
  given  = { mac = MAC },
  http   = { [INTERFACES] = page {} },
  expect = { rule = "strangers", boot = "ignore" },
}
