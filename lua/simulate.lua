-- Requests as a machine would send them, for tests and `moonboot eval`: what policy
-- authors see rendered has gone the whole way that a real request goes.

local asked = require "asked"
local carry = require "carry"
local identity = require "identity"
local machine = require "machine"
local routes = require "routes"
local told = require "told"
local url = require "url"

local simulate = {}

-- The server of examples: RFC 5737 has no address that reads as well.
simulate.server = "10.0.0.2"
simulate.client = "10.0.0.100"
simulate.base = "http://10.0.0.2:8080"

-- Where a policy's own server is: as its site says (policy.told = { server =, base = }, from `of_site`), or that
-- of the examples.
local function server_of(policy)
    return policy.told and policy.told.server or simulate.server
end

local function base_of(policy)
    return policy.told and policy.told.base or simulate.base
end

-- What stands for the server that a site.yaml (host.cli.site) describes. Its port is known, and its address
-- when one is advertised or listened at.
function simulate.of_site(site)
    local server = site.advertise or site.listen or simulate.server
    local port, usual = site.http_ports and site.http_ports[1] or 8080, site.only_tls and 443 or 80
    return { server = server, base = ("http%s://%s%s"):format(site.only_tls and "s" or "", server,
                                                              port == usual and "" or ":" .. port) }
end

local arch_ids = {}
for id = 41, 0, -1 do
    arch_ids[machine.arch_name(id)] = id
end

local function arch_id(name)
    return arch_ids[name] or tonumber((name or ""):match("^arch%-(%d+)$"))
end

-- Option 60 of the firmware that boots such a machine.
local function vendor_class(m, id)
    if m.vendor_class or not id then
        return m.vendor_class or nil
    end
    local client = (m.firmware == "http" or (m.arch or ""):find("%-http$")) and "HTTPClient" or "PXEClient"
    return ("%s:Arch:%05d:UNDI:003016"):format(client, id)
end

local function discover(policy, m, id, class)
    return routes.handle(policy, {
        protocol = "dhcp", message = "discover", port = 67,
        server = server_of(policy), base = base_of(policy), interface = m.interface,
        mac = m.mac, uuid = m.uuid, arch_id = id, hostname = m.hostname,
        vendor_class = class, user_class = m.user_class,
        is_ipxe = m.firmware == "ipxe" or m.user_class == "iPXE",
        relay = m.relay, circuit_id = m.circuit_id, remote_id = m.remote_id,
    })
end

-- A DISCOVER.
function simulate.dhcp(policy, m)
    local id = m.arch_id or arch_id(m.arch or "bios")
    return discover(policy, m, id, vendor_class(m, id))
end

-- That of the same machine when it is told to boot by HTTP; nil for a kind that cannot.
function simulate.uefi_http(policy, m)
    local name = m.arch or "bios"
    local id = arch_id(name:find "%-http$" and name or name .. "-http")
    return id and discover(policy, m, id, ("HTTPClient:Arch:%05d:UNDI:003016"):format(id))
end

local function send(policy, m, path, query, agent)
    return routes.handle(policy, {
        protocol = "http", method = "GET", path = path, query = query,
        client = m.ip or nil, server = server_of(policy), base = base_of(policy), interface = m.interface,
        user_agent = agent or "iPXE/1.0.0",
    })
end

-- What /boot.ipxe makes iPXE ask, and GRUB's first script GRUB, at that path.
local function ask(policy, m, path, agent)
    local query = { carry.query(policy.carried, m) }
    for _, field in ipairs(machine.fields) do
        local value = m[field.name]
        if told.names[field.name] and value then
            query[#query + 1] = field.name .. "=" .. url.encode(tostring(value))
        end
    end
    for name, value in pairs(m.label) do
        query[#query + 1] = url.encode(name) .. "=" .. url.encode(tostring(value))
    end
    return send(policy, m, path, table.concat(query, "&"), agent)
end

function simulate.ipxe(policy, m)
    return ask(policy, m, "/ipxe")
end

function simulate.grub(policy, m)
    return ask(policy, m, "/grub", "GRUB 2.06")
end

-- What PXELINUX is sent for the name it asks for first; `body` is nil for one that is sent on to
-- the site's own files.
function simulate.pxelinux(policy, m)
    local known = { "arch=" .. url.encode(m.arch or "bios") }
    for _, name in ipairs { "uuid", "ip" } do
        known[#known + 1] = m[name] and name .. "=" .. m[name] or nil
    end
    local facts = carry.query(carry.names, m)
    known[#known + 1] = facts ~= "" and facts or nil
    local name = m.mac and "01-" .. m.mac:gsub(":", "-") or m.uuid and asked.swapped(m.uuid) or "default"
    return routes.handle(policy, {
        protocol = "http", method = "GET", path = "/pxelinux.cfg/" .. name, query = table.concat(known, "&"),
        client = m.ip or nil, server = server_of(policy), base = base_of(policy), interface = m.interface,
    })
end

-- What Pixiecore is answered; `body` is nil for a machine that it is to leave alone.
function simulate.pixiecore(policy, m)
    return routes.handle(policy, {
        protocol = "http", method = "GET", path = "/v1/boot/" .. (m.mac or ""),
        server = server_of(policy), base = base_of(policy), interface = m.interface,
    })
end

-- The document of that name -> text | nil, why not, and whether the policy failed.
function simulate.config(policy, m, name)
    local reply, info = send(policy, m, "/config/" .. identity.write(m, policy.carried) .. "/" .. name)
    if reply.status == 200 then
        return reply.body
    end
    return nil, info and info.error or reply.error or reply.body, info and info.error ~= nil
end

local STATUSES = { ["not-found"] = 404, denied = 403, failed = 500 }

-- What a GET of "/path?query", or with a text its POST, is answered: { status =, type =, body =,
-- asset =, error = }.
function simulate.get(policy, target, text)
    local path, query = target:match "^([^?]*)%??(.*)$"
    local reply, info = routes.handle(policy, {
        protocol = "http", method = text and "POST" or "GET", path = url.decode(path),
        query = query ~= "" and query or nil, body = text and text ~= "" and text or nil,
        client = simulate.client, server = server_of(policy), base = base_of(policy),
        host = base_of(policy):match "//(.*)$", user_agent = "moonboot-test",
    })
    local answer = { error = info and info.error, asset = reply.path, type = reply.type }
    if not reply.path then
        answer.status = reply.status or STATUSES[reply.reason]
        answer.body = reply.body or reply.error .. "\n"
        answer.type = reply.type or "text/plain; charset=utf-8"
    end
    return answer
end

return simulate
