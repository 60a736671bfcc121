local policies = require "policies"
local routes = require "routes"

local tests = {}

local function get(policy, path, fields)
    local request = { protocol = "http", method = "GET", path = path, client = "10.0.0.77", server = "10.0.0.2",
                      base = "http://10.0.0.2:8080" }
    for key, value in pairs(fields or {}) do
        request[key] = value
    end
    return routes.handle(policy, request)
end

local function body(policy, path, fields)
    local reply = get(policy, path, fields)
    return reply.body or reply.error
end

function tests.paths()
    local policy = policies.load [[
serve "/" (function() return "root" end)
serve "/hosts/:name" (function(request) return "host " .. request.params.name end)
serve "/hosts/:name/disks/:n" (function(request) return request.params.name .. " " .. request.params.n end)
serve "/files/*path" (function(request) return { asset = "x/" .. request.params.path, type = "a/b" } end)
serve "/ipxe" (function() return "mine" end)
serve "/boot.ipxe" (function() end)
serve "/slash/" (function() return "slash" end)
]]
    for path, text in pairs {
        ["/"] = "root", ["/hosts/a"] = "host a", ["/hosts/a/disks/2"] = "a 2", ["/ipxe"] = "mine",
        ["/boot.ipxe"] = "not found", ["/slash/"] = "slash", ["/slash"] = "no such page: /slash",
        ["/hosts/"] = "no such page: /hosts/", ["/hosts"] = "no such page: /hosts",
        ["/hosts/a/"] = "no such page: /hosts/a/", ["//"] = "no such page: //", ["/hosts/a/disks"] =
        "no such page: /hosts/a/disks", ["/files"] = "no such page: /files",
    } do
        assert(body(policy, path) == text, path .. ": " .. body(policy, path))
    end
    local reply, info = get(policy, "/files/a/b")
    assert(reply.path == "x/a/b" and reply.root == "assets" and reply.type == "a/b")
    assert(info.rule == 'serve "/files/*path"' and info.verdict == "asset x/a/b" and info.stage == "serve")
    assert(get(policy, "/files/").path == "x/")
    reply = get(policy, "/boot.ipxe")
    assert(reply.reason == "not-found")
end

-- The first in the file decides; what is not served is built in.
function tests.order_and_what_is_reserved()
    local policy = policies.load [[
serve "/a/b" (function() return "1" end)
serve "/:x/b" (function(r) return "2 " .. r.params.x end)
serve "/*rest" (function(r) return "3 " .. r.params.rest end)
]]
    assert(body(policy, "/a/b") == "1" and body(policy, "/c/b") == "2 c" and body(policy, "/") == "3 ")
    assert(body(policy, "/ipxe") == "3 ipxe")
    assert(get(policy, "/assets/b").path == "b" and get(policy, "/metrics").reason == "not-found")
end

function tests.requests()
    local policy = policies.load [[
serve "/x" (function(request)
  local m = request.machine
  assert(request.method == "POST" and request.query.mac == "nonsense" and request.query.role == "db")
  assert(m.mac == nil and m.uuid == "4c4c4544-0052-3510-8051-b4c04f4e3732" and m.label.role == "db" and m.ip == "10.0.0.77")
  assert(m.serial == nil and m.stage == "ipxe" and m.firmware == "ipxe" and m.arch == "efi-x64")
  assert(request.host == "h" and request.body == "b" and request.client == "10.0.0.77")
  return { body = request.base .. request.user_agent, status = 201, type = "text/x" }
end)
serve "/y" (function(request) return tostring(request.body) .. request.machine.stage end)
serve "/z" (function(request) return request.boddy end)
serve "/w" (function(request) return request.machine.seriall end)
]]
    local reply, info = get(policy, "/x", {
        method = "POST", host = "h", user_agent = "iPXE/1", body = "b",
        query = "mac=nonsense&uuid=4C4C4544-0052-3510-8051-B4C04F4E3732&role=db&buildarch=x86_64&platform=efi",
    })
    assert(reply.body == "http://10.0.0.2:8080iPXE/1" and reply.status == 201 and reply.type == "text/x", info.error)
    assert(info.machine == "4c4c4544-0052-3510-8051-b4c04f4e3732" and info.verdict == "201")
    assert(body(policy, "/y") == "nilhttp")
    local _, about = get(policy, "/z")
    assert(about.error == 'policy.lua:10: a request has no field "boddy" (did you mean "body"?)', about.error)
    _, about = get(policy, "/w")
    assert(about.error:find 'policy.lua:11: a machine has no field "seriall"', about.error)
end

function tests.failures()
    for code, message in pairs {
        ['error "oops"'] = "policy.lua:2: oops",
        ['return nil, "down"'] = "policy.lua:1: down",
        ["return 12"] = "policy.lua:1: malformed answer: found 12, expected text, a table or nothing",
        ["return { bdy = 1 }"] = 'policy.lua:1: malformed answer: unknown key "bdy" (did you mean "body"?)',
        ["return {}"] = "policy.lua:1: malformed answer: body is nothing, expected text",
        ["return { body = '', status = 99 }"] = "policy.lua:1: malformed answer: status is 99, expected 200 to 599",
        ["return { body = '', type = 'a\\nb' }"] = 'policy.lua:1: malformed answer: type is "a\\10b", expected a media type',
        ["return { asset = 'x', status = 3 }"] = "policy.lua:1: malformed answer: asset is the name of a file, without body and status",
        ["while true do end"] = "policy.lua:2: stopped: it ran for too long",
    } do
        local policy = policies.load('serve "/x" (function(request)\n' .. code .. " end)")
        local reply, info = get(policy, "/x")
        assert(reply.reason == "failed" and info.error == message and info.verdict == "500", info.error)
    end
end

function tests.served_wrongly()
    policies.refuses([[
serve "x" (print)
serve "/a/:b/:b" (print)
serve "/a/*b/c" (print)
serve "/a/:" (print)
serve "/assets/x" (print)
serve "/ok" (1)
serve "/later"
serve(1)
serve "/two" (print)
serve "/two" (print)
]], {
        'policy.lua:1: serve "x": expected a path, such as "/hosts/:name"',
        'policy.lua:2: serve "/a/:b/:b": there are two "b"',
        'policy.lua:3: serve "/a/*b/c": nothing can follow *b',
        'policy.lua:4: serve "/a/:": ":" is followed by a name of letters, digits and _',
        "policy.lua:5: serve \"/assets/x\": /assets is moonboot's own",
        'policy.lua:6: serve "/ok": found 1, expected a function of the request',
        'policy.lua:7: serve "/later" has no function',
        'policy.lua:8: serve: found 1, expected a path: serve "/…" (function…)',
        'policy.lua:10: there is a serve "/two" already, on line 9',
    })
end

return tests
