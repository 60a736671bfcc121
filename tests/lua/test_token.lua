local identity = require "identity"
local policies = require "policies"
local routes = require "routes"
local token = require "token"

local host = host

local tests = {}

local POLICY = policies.load [=[
profile "node" {
  kernel = "vmlinuz",
  args   = { "one={{config 'a/one'}}", "a={{config 'a/'}}", "all={{config '/'}}" },
  config = { ["a/one"] = "for {{mac}} of {{serial or 'nobody'}}\n", two = "{{config 'a/one'}}" },
}
rule "thief" { match = { serial = "S" }, boot = deny "stolen" }
rule "nodes" { match = { mac = prefix "52:54:00" }, boot = "node" }
]=]

-- In place of the C half: a token that says what it is for (test_token.c tests the real one).
local function with_tokens(required, f)
    local now = 0
    host.token = { required = required }
    function host.token.make(purpose, machine, name, client)
        return table.concat({ purpose, (machine:gsub("~", "_")), (name:gsub("/", "+")), client or "nobody", now }, "!")
    end
    function host.token.problem(purpose, machine, name, client, text)
        local beneath = text:match("^[^!]*![^!]*!([^!]*)"):gsub("%+", "/")
        local covers = beneath == "" or beneath:sub(-1) == "/" and name:sub(1, #beneath) == beneath
        if text ~= host.token.make(purpose, machine, covers and beneath or name, client) then
            return "wrong"
        end
    end
    local ok, message = xpcall(f, debug.traceback, function() now = now + 1 end)
    host.token = nil
    assert(ok, message)
end

local function get(path, query, client)
    return routes.handle(POLICY, { protocol = "http", method = "GET", path = path, query = query,
                                   client = client or "10.0.0.77", base = "http://h", server = "10.0.0.2" })
end

local function urls_of(query)
    local script = get("/ipxe", query).body
    local one, a, all = script:match("one=http://h(%S+) a=http://h(%S+) all=http://h(%S+)")
    assert(one, script)
    return one, a, all
end

local function refuses(path, query, client)
    local reply, info = get(path, query, client)
    assert(reply.error == "a valid token is needed" and reply.reason == "denied" and not reply.body, path)
    assert(info.verdict == "refused" and info.stage == "config" and info.rule == nil, info.verdict)
    return info
end

function tests.what_was_told_is_given()
    with_tokens(true, function()
        local one, a, all = urls_of "mac=525400000001&serial=R5"
        for _, path in ipairs { one, a .. "one", all .. "a/one" } do
            assert(get(path).body == "for 52:54:00:00:00:01 of R5\n", path)
        end
        assert(get(all .. "two").body == "http://h" .. one)
        assert(get(all .. "three").reason == "not-found")
    end)
end

function tests.nothing_else_is()
    with_tokens(true, function(later)
        local one, a, all = urls_of "mac=525400000001&serial=R5"
        for _, path in ipairs {
            (one:gsub("00:01", "00:02", 1)), -- another machine
            (one:gsub("serial=R5", "serial=S", 1)),
            (one:gsub("~serial=R5", "", 1)),
            (one:gsub("one$", "two")), -- another document, there or not
            (one:gsub("one$", "nope")),
            (a:gsub("a/$", "two")),
            (one:gsub("~token=[^/]*", "")),
            (one:gsub("~token=", "~token=x~token=")),
            (one:gsub("~token=", "~tokens=")),
            (one:gsub("(~token=[^/]*)", "%1%1")),
            "/config/a/one", "/config/nope",
        } do
            local info = refuses(path, "mac=525400000001")
            assert(info.error:find("^10%.0%.0%.77 asked for "), info.error)
        end
        refuses(one, nil, "10.0.0.78")
        later()
        refuses(all .. "two")
    end)
end

-- Who has a token of his own must not put another's name beside it.
function tests.a_query_adds_nothing_to_a_segment()
    with_tokens(true, function()
        local one = urls_of "mac=525400000001"
        assert(get(one, "serial=R5&uuid=11111111-2222-3333-4444-555555555555").body == "for 52:54:00:00:00:01 of nobody\n")
    end)
end

function tests.optional()
    with_tokens(false, function()
        local one = urls_of "mac=525400000001"
        assert(get(one).status == 200)
        assert(get("/config/a/one", "mac=525400000001").status == 200)
        assert(get((one:gsub("~token=[^/]*", ""))).status == 200)
        refuses((one:gsub("~token=", "~token=x")))
        refuses((one:gsub("00:01", "00:02", 1)))
    end)
end

function tests.where_nothing_is_served_there_are_none()
    assert(token.add("~mac=1", "config", "x") == "~mac=1")
    assert(token.problem(nil, "config", "x") == nil)
    assert(get("/config/a/one", "mac=525400000001").status == 200)
end

function tests.a_token_is_no_field_of_the_machine()
    local fields = identity.read "~mac=52:54:00:00:00:01~token=00"
    assert(fields.token == nil and fields.label.token == nil and fields.mac)
end

return tests
