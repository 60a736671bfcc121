require "shipped"
local engine = require "engine"
local policies = require "policies"
local web = require "moonboot.matchbox.web"

local tests = {}

local function same(found, expected, what)
    assert(found == expected, ("%s\nexpected: %s\nfound:    %s"):format(what or "", tostring(expected), tostring(found)))
end

--- Reading requests ----------------------------------------------------------------------

function tests.macs_in_every_notation_of_go()
    for text, expected in pairs {
        ["52:54:00:A1:9C:AE"] = "52:54:00:a1:9c:ae", ["52-54-00-a1-9c-ae"] = "52:54:00:a1:9c:ae",
        ["5254.00a1.9cae"] = "52:54:00:a1:9c:ae",
        ["02:00:5e:10:00:00:00:01"] = "02:00:5e:10:00:00:00:01",
        ["0200.5e10.0000.0001"] = "02:00:5e:10:00:00:00:01",
    } do
        same(web.mac(text), expected, text)
    end
    for _, text in ipairs {
        "", "52", "52:54", "525400a19cae", "52:54:00-a1-9c-ae", "52:54:00:a1:9c", "52:54:00:a1:9c:ae:",
        "5:54:00:a1:9c:ae", "52:54:00:a1:9c:ag", "52:54:00:a1:9c:ae:00", "52%54%00", "::::::", "5254.00a1",
    } do
        same(web.mac(text), nil, text)
    end
end

local function labels(query)
    local names, texts = {}, {}
    local found = web.labels(query)
    for name in pairs(found) do
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        texts[i] = name .. "=" .. found[name]
    end
    return table.concat(texts, ",")
end

function tests.queries_are_read_as_go_reads_them()
    for query, expected in pairs {
        [""] = "", ["a=1&b=2"] = "a=1,b=2", ["a=1&a=2"] = "a=1", ["a"] = "a=", ["a=&b"] = "a=,b=",
        ["a=x+y%20z&&"] = "a=x y z", ["a=%zz&b=1"] = "b=1", ["a=%&b=1"] = "b=1", ["a;b=1&c=2"] = "c=2",
        ["a=b=c"] = "a=b=c", ["%61=1"] = "a=1", ["=x"] = "=x",
        ["mac=52-54-00-A1-9C-AE"] = "mac=52:54:00:a1:9c:ae", ["mac=nonsense&x=1"] = "x=1",
        ["MAC=52-54-00-A1-9C-AE"] = "MAC=52:54:00:a1:9c:ae",
        ["mac=x&mac=52:54:00:a1:9c:ae"] = "",
    } do
        same(labels(query), expected, query)
    end
end

function tests.media_types_by_first_bytes()
    same(web.type "#cloud-config\n", "text/plain; charset=utf-8")
    same(web.type "", "text/plain; charset=utf-8")
    same(web.type "<?xml version='1.0'?>", "text/xml; charset=utf-8")
    same(web.type " \n<HTML>", "text/html; charset=utf-8")
    same(web.type "<!doctype html>", "text/html; charset=utf-8")
    same(web.type "<htmlish>", "text/plain; charset=utf-8")
    same(web.type "a\0b", "application/octet-stream")
end

--- Sites ---------------------------------------------------------------------------------

local POLICY = 'local matchbox = require "moonboot.matchbox"\nmatchbox { data = "m"%s }\n'

-- A site of these files below the data directory.
local function site(files, options)
    local all = { ["policy.lua"] = POLICY:format(options or "") }
    for name, text in pairs(files) do
        all["m/" .. name] = text
    end
    host.logged = {}
    return policies.load_files(all)
end

local function get(policy, target)
    local path, query = target:match "^([^?]*)%??(.*)$"
    return engine.handle(policy, { protocol = "http", method = "GET", path = path, query = query,
                                   base = "http://10.0.0.2:8080" })
end

local function group(selector, profile)
    return ('{ "id": "g", "profile": "%s", "selector": %s }'):format(profile or "p", selector)
end

-- Groups of one selector each choose what the metadata shows.
function tests.groups_are_chosen_as_matchbox_sorts_them()
    local files = {}
    for i, selector in ipairs {
        "{}", '{ "a": "1" }', '{ "b": "1" }', '{ "a": "1", "b": "1" }', '{ "a": "1", "c": "1" }',
        '{ "mac": "52:54:00:00:00:01" }', '{ "mac": "52:54:00:00:00:01", "a": "1" }', '{ "empty": "" }',
    } do
        files["groups/" .. i .. ".json"] = ('{ "profile": "p", "selector": %s, "metadata": { "group": "%d" } }')
            :format(selector, i)
    end
    local policy = assert(site(files))
    for query, expected in pairs {
        [""] = "8", ["empty=x"] = "1", ["a=1"] = "8", ["empty=x&a=1"] = "2", ["a=1&b=1&empty=x"] = "4",
        ["a=1&b=1&c=1"] = "5", ["b=1"] = "8", ["empty=1&b=1"] = "3", ["empty=1&b=1&a=2"] = "3",
        ["mac=52-54-00-00-00-01&empty=1"] = "6", ["mac=52-54-00-00-00-01&a=1"] = "7",
        ["mac=52-54-00-00-00-01&a=1&c=1"] = "7", ["mac=52-54-00-00-00-02&empty=1"] = "1",
        ["mac=52-54-00-00-00-01"] = "6",
    } do
        local found = get(policy, "/metadata?" .. query).body:match "GROUP=(%d)"
        same(found, expected, query)
    end
end

function tests.nothing_matches_nothing()
    local policy = assert(site { ["groups/a.json"] = group '{ "a": "1" }' })
    for _, path in ipairs { "/ipxe", "/grub", "/ignition", "/cloud", "/generic", "/metadata" } do
        local reply = get(policy, path)
        same(reply.status, 404)
        same(reply.body, "404 page not found\n")
    end
end

function tests.what_is_wrong_with_the_data_is_told_and_passed_over()
    local files = {
        ["groups/ok.json"] = group '{ "a": "1" }',
        ["groups/json.json"] = "{",
        ["groups/list.json"] = "[]",
        ["groups/number.json"] = '{ "selector": { "a": 1 } }',
        ["groups/mac.json"] = '{ "selector": { "MAC": "x" } }',
        ["groups/meta.json"] = '{ "metadata": [1] }',
        ["groups/selector.json"] = '{ "profile": "p", "Selector": [] }',
        ["groups/none.json"] = '{ "selector": { "b": "1" } }',
        ["groups/else.json"] = '{ "profile": "else", "selector": { "c": "1" } }',
        ["groups/notes.txt"] = "not a group",
        ["groups/sub/x.json"] = "not looked at",
        ["profiles/p.json"] = '{ "ID": "p", "generic_id": "t", "cloud_id": "gone", "ignition_id": "i.ign" }',
        ["generic/t"] = "{{.x",
        ["ignition/i.ign"] = '{ "ignition": { "version": "3.3.0" }, "storage": { "files": [ { "path": 1 } ] } }',
    }
    local policy = assert(site(files))
    local said = {}
    for i, line in ipairs(host.logged) do
        said[i] = line.message:gsub("^[^ ]+ ", "")
    end
    table.sort(said)
    local text = table.concat(said, "\n")
    for _, part in ipairs {
        "m/cloud/gone: there is no such file, but profile \"p\" names it",
        "m/generic/t:1: unclosed action", "m/groups/json.json: no JSON: ", "m/groups/list.json: expected an object",
        "m/groups/mac.json: selector.MAC: \"x\" is no MAC address",
        "m/groups/meta.json: metadata: found a list, expected an object",
        "m/groups/number.json: selector.a: found a number, expected text",
        "m/groups/selector.json: selector: found a list, expected an object",
        "m/groups/none.json: it names no profile",
        "m/profiles/else.json: there is no such file, but m/groups/else.json names this profile",
        "m/ignition/i.ign: storage.files[1].path: found number, expected string",
    } do
        assert(text:find(part, 1, true), ("no %q in\n%s"):format(part, text))
    end
    same(#said, 11, text)
    same(get(policy, "/metadata?a=1").status, 200)
    same(get(policy, "/ignition?a=1").status, 501)

    local _, problems = site(files, ", strict = true")
    text = table.concat(problems, "\n")
    assert(text:find("^site/policy.lua:2: matchbox: m/", 1), text)
    assert(text:find("m/generic/t:1: unclosed action", 1, true), text)
end

function tests.options_are_checked()
    for options, expected in pairs {
        [', machine = "all"'] = 'matchbox: unknown key "machine"',
        [', machines = "some"'] = 'matchbox: machines is "some", expected "selected" or "all"',
        [", strict = 1"] = "matchbox: strict is a number, expected a boolean",
        [', data = ""'] = "matchbox: data is missing",
    } do
        local _, problems = site({ ["groups/a.json"] = "{}" }, options)
        assert(problems[1]:find("site/policy.lua:2: " .. expected, 1, true), problems[1])
    end
    local _, problems = site {}
    assert(problems[1]:find("site/m/groups", 1, true), problems[1])
end

function tests.paths_stay_in_the_data_directory()
    local policy = assert(site {
        ["groups/a.json"] = group("{}", "x/../../../../p"),
        ["profiles/../p.json"] = nil, ["p.json"] = '{ "id": "p", "generic_id": "../../../generic/./sub//t" }',
        ["generic/sub/t"] = "found",
    })
    same(get(policy, "/generic").body, "found")
end

function tests.html_is_not_escaped_and_numbers_are_go_s()
    local policy = assert(site {
        ["groups/a.json"] = '{ "profile": "p", "metadata": { "x": "<&>", "n": 12345678, "e": [] } }',
        ["profiles/p.json"] = '{ "id": "p", "generic_id": "t" }',
        ["generic/t"] = "{{.x}} {{.n}} {{range .e}}x{{else}}none{{end}}",
    })
    same(get(policy, "/generic").body, "<&> 1.2345678e+07 none")
end

--- DHCP ----------------------------------------------------------------------------------

local function verdict(policy, fields, stage)
    fields.arch = "bios"
    return policies.decide(policy, fields, stage or "dhcp").verdict
end

function tests.machines_that_no_group_can_mean_are_left_alone()
    local policy = assert(site {
        ["groups/mac.json"] = group '{ "mac": "52-54-00-00-00-01", "os": "installed" }',
        ["groups/uuid.json"] = group '{ "uuid": "4C4C4544-0052-3510-8051-B4C04F4E3732" }',
    })
    local id = "4c4c4544-0052-3510-8051-b4c04f4e3732"
    local other = "4c4c4544-0052-3510-8051-b4c04f4e3733"
    same(verdict(policy, { mac = "52:54:00:00:00:01", uuid = other }), "chain")
    same(verdict(policy, { mac = "52:54:00:00:00:02", uuid = id }), "chain")
    same(verdict(policy, { mac = "52:54:00:00:00:02" }), "chain", "it may have that UUID")
    same(verdict(policy, { mac = "52:54:00:00:00:02", uuid = other }), "ignore")

    policy = assert(site({ ["groups/mac.json"] = group '{ "mac": "52-54-00-00-00-01" }' }, ', machines = "all"'))
    same(verdict(policy, { mac = "52:54:00:00:00:02" }), "chain")
    policy = assert(site {
        ["groups/mac.json"] = group '{ "mac": "52-54-00-00-00-01" }', ["groups/row.json"] = group '{ "serial": "1" }',
    })
    same(verdict(policy, { mac = "52:54:00:00:00:02" }), "chain", "its serial number is not known yet")
end

--- Ignition ------------------------------------------------------------------------------

local function ignite(text)
    local policy = assert(site {
        ["groups/a.json"] = group "{}", ["profiles/p.json"] = '{ "id": "p", "ignition_id": "i.ign" }',
        ["ignition/i.ign"] = text,
    })
    return get(policy, "/ignition")
end

local EMPTY = '"ignition":{"config":{"replace":{"verification":{}}},"proxy":{},"security":{"tls":{}},"timeouts":{},"version":"3.3.0"}'

function tests.ignition_of_matchbox_s_own_test_is_unchanged()
    local text = '{' .. EMPTY .. ',"kernelArguments":{},"passwd":{"users":[{"name":"core","sshAuthorizedKeys":["key"]}]},'
        .. '"storage":{},"systemd":{"units":[{"enabled":false,"name":"docker.service"}]}}'
    same(ignite(text).body, text)
end

function tests.ignition_sections_in_their_order()
    same(ignite([=[{ "ignition": { "version": "3.0.0", "timeouts": { "httpTotal": 5 } }, "storage": {
        "luks": [ { "name": "root", "device": "/dev/md0", "clevis": { "tpm2": true, "tang": [ { "url": "http://t", "thumbprint": "x" } ] } } ],
        "raid": [ { "spares": 0, "name": "md", "level": "raid1", "devices": ["/a", "/b"] } ],
        "links": [ { "path": "/l", "target": "/t", "hard": false, "user": { "id": 0 } } ],
        "directories": [ { "path": "/d", "mode": 493, "overwrite": true } ],
        "filesystems": [ { "device": "/dev/x", "format": "xfs", "label": null, "options": [] } ] } }]=]).body,
        '{"ignition":{"config":{"replace":{"verification":{}}},"proxy":{},"security":{"tls":{}},"timeouts":{"httpTotal":5},'
        .. '"version":"3.3.0"},"kernelArguments":{},"passwd":{},"storage":{'
        .. '"directories":[{"group":{},"overwrite":true,"path":"/d","user":{},"mode":493}],'
        .. '"filesystems":[{"device":"/dev/x","format":"xfs"}],'
        .. '"links":[{"group":{},"path":"/l","user":{"id":0},"hard":false,"target":"/t"}],'
        .. '"luks":[{"clevis":{"custom":{},"tang":[{"thumbprint":"x","url":"http://t"}],"tpm2":true},'
        .. '"device":"/dev/md0","keyFile":{"verification":{}},"name":"root"}],'
        .. '"raid":[{"devices":["/a","/b"],"level":"raid1","name":"md","spares":0}]},"systemd":{}}')
end

function tests.ignition_that_is_none_is_refused()
    for text, expected in pairs {
        [""] = "no JSON", ["[]"] = "it has no ignition.version", ['{"ignition":{}}'] = "it has no ignition.version",
        ['{"ignition":{"version":"3.1.0"},"passwd":{"users":{"a":1}}}'] = "passwd.users: found table, expected a list",
        ['{"ignition":{"version":"3.1.0"},"storage":{"files":[{"path":"/a","mode":"0644"}]}}'] =
            "storage.files[1].mode: found string, expected number",
    } do
        local reply = ignite(text)
        same(reply.status, 501)
        assert(reply.body:find("m/ignition/i.ign: ", 1, true) and reply.body:find(expected, 1, true), reply.body)
    end
end

return tests
