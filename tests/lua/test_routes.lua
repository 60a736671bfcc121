local engine = require "engine"
local routes = require "routes"

local tests = {}

local function load(text)
    local policy, problems = engine.load { text = text, display = "policy.lua" }
    assert(policy, problems and table.concat(problems, "\n"))
    return policy
end

local POLICY = load [=[
dhcp { vendors = { "U-Boot" } }
profile "compute" { kernel = "vmlinuz", initrd = "initrd.img", args = { "host={{serial}}" },
                    files = { ["grub.cfg"] = "compute/grub.cfg" } }
rule "thief" { match = { mac = "52:54:00:00:00:01" }, boot = deny "reported stolen" }
rule "local" { match = { mac = "52:54:00:00:00:02" }, boot = disk }
rule "unwritable" { match = { mac = "52:54:00:00:00:03" }, boot = "compute", args = { "x=${y}" }, on_error = disk }
rule "broken" { match = { mac = "52:54:00:00:00:04" }, boot = function() error "oops" end }
rule "named thief" { match = { mac = "52:54:00:00:00:06" }, boot = deny "stolen: {{serial}}" }
rule "elsewhere" { match = { mac = "52:54:00:00:00:05" }, boot = chain "http://other/x.ipxe" }
rule "compute" { match = { mac = prefix "52:54:00" }, boot = "compute" }
rule "deny net" { match = { ip = subnet "10.66.0.0/16" }, boot = deny "quarantined" }
rule "by label" { match = { ["label.role"] = "db" }, boot = "compute" }
rule "rest" { boot = ignore }
]=]

local BASE = "http://10.0.0.2:8080"

local function ask(request)
    request.base, request.server = BASE, "10.0.0.2"
    return routes.handle(POLICY, request)
end

local function discover(mac, fields)
    local request = { protocol = "dhcp", message = "discover", port = 67, mac = mac, arch_id = 7,
                      vendor_class = "PXEClient:Arch:00007:UNDI:003016", is_ipxe = false }
    for key, value in pairs(fields or {}) do
        request[key] = value or nil
    end
    return ask(request)
end

local function get(path, query, fields)
    local request = { protocol = "http", method = "GET", path = path, query = query, client = "10.0.0.77" }
    for key, value in pairs(fields or {}) do
        request[key] = value
    end
    return ask(request)
end

local function fetch(file, client)
    return ask { protocol = "tftp", file = file, client = client or "10.0.0.77" }
end

local function same(info, wanted)
    for key, value in pairs(wanted) do
        assert(info[key] == value, ("%s is %s, not %s"):format(key, tostring(info[key]), tostring(value)))
    end
end

function tests.dhcp_answers_who_boots()
    local reply, info = discover("52:54:00:12:34:56")
    assert(reply.dhcp.file == "snponly.efi" and reply.dhcp.vendor_class == "PXEClient")
    same(info, { machine = "52:54:00:12:34:56", rule = "compute", verdict = "boot compute", stage = "dhcp" })
    reply = discover("52:54:00:00:00:05")
    assert(reply.dhcp.file == "snponly.efi")
end

function tests.dhcp_is_silent_for_the_others()
    for mac, verdict in pairs {
        ["52:54:00:00:00:01"] = "deny: reported stolen", ["52:54:00:00:00:02"] = "disk",
        ["52:54:00:00:00:04"] = "ignore",
    } do
        local reply, info = discover(mac)
        assert(reply == nil)
        same(info, { verdict = verdict, stage = "dhcp" })
    end
    local _, info = discover("52:54:00:00:00:04")
    assert(info.error:find("^policy.lua:7: oops"), info.error)
    -- no boot firmware: nothing is decided, nothing logged
    local reply
    reply, info = discover("52:54:00:12:34:56", { vendor_class = "MSFT 5.0" })
    assert(reply == nil and info == nil)
    reply, info = discover("52:54:00:12:34:56", { arch_id = false })
    assert(reply == nil and info == nil)
end

function tests.dhcp_answers_what_only_a_later_stage_can_decide()
    local reply, info = discover("00:11:22:33:44:55")
    assert(reply.dhcp.file == "snponly.efi")
    assert(info.verdict:find("^undetermined: needs "), info.verdict)
end

function tests.dhcp_on_4011_and_by_other_vendors()
    local reply, info = discover("52:54:00:12:34:56", { message = "request", port = 4011, ip = "10.0.0.9" })
    assert(reply.dhcp.file == "snponly.efi" and info.stage == "dhcp-4011")
    reply = discover("52:54:00:12:34:56", { vendor_class = "U-Boot.armv8", arch_id = 22 })
    assert(reply.dhcp.file == "snponly-arm64.efi" and reply.dhcp.vendor_class == nil)
end

function tests.dhcp_takes_any_bytes()
    local bytes = "\0\1\255%s%n\n{{x}}"
    local reply = discover("52:54:00:12:34:56", {
        hostname = bytes, user_class = bytes, circuit_id = bytes, remote_id = bytes, ipxe = bytes,
        vendor_class = "PXEClient" .. bytes, arch_id = 65535,
    })
    assert(reply == nil) -- no program for that architecture
    reply = discover("52:54:00:12:34:56", { hostname = bytes, user_class = bytes, ipxe = bytes })
    assert(reply.dhcp.file == "snponly.efi")
end

function tests.http_asks_and_answers()
    for _, path in ipairs { "/boot.ipxe", "/boot.ipxe.0" } do
        local reply, info = get(path)
        assert(reply.body:find("#!ipxe\n", 1, true) == 1 and reply.status == 200 and info == nil)
        assert(reply.body:find(BASE .. "/ipxe?", 1, true))
    end
    local reply, info = get("/ipxe", "mac=52-54-00-12-34-56&serial=A%20B&buildarch=x86_64&platform=efi")
    assert(reply.body:find('initrd=initrd1 host="A B" ||', 1, true), reply.body)
    same(info, { machine = "52:54:00:12:34:56", rule = "compute", verdict = "boot compute", stage = "ipxe" })
    reply = get("/ipxe", "mac=52-54-00-12-34-56&serial=A&buildarch=i386&platform=pcbios")
    assert(reply.body:find("/assets/vmlinuz host=A ||", 1, true), reply.body)
end

function tests.http_labels_and_addresses()
    local _, info = get("/ipxe", "role=db&serial=1")
    same(info, { rule = "by label", machine = "1" })
    _, info = get("/ipxe", "")
    same(info, { rule = "rest", machine = "10.0.0.77", verdict = "ignore" })
    _, info = get("/ipxe", nil, { client = "10.66.1.1" })
    same(info, { rule = "deny net", verdict = "deny: quarantined" })
    -- a client cannot tell what only we know
    _, info = get("/ipxe", "firmware=pxe&stage=dhcp&relay=10.0.0.1&interface=x&label=y&features=z")
    same(info, { rule = "rest", stage = "ipxe" })
end

function tests.http_verdicts()
    assert(get("/ipxe", "mac=52:54:00:00:00:02").body:find("sanboot", 1, true))
    assert(get("/ipxe", "mac=52:54:00:00:00:01").body:find("denied: reported stolen", 1, true))
    assert(get("/ipxe", "mac=52:54:00:00:00:05").body:find("--autofree http://other/x.ipxe ||", 1, true))
end

function tests.what_cannot_be_written_is_the_policys_failure()
    local reply, info = get("/ipxe", "mac=52:54:00:00:00:03&serial=1")
    assert(reply.body:find("sanboot", 1, true), reply.body)
    same(info, { rule = "unwritable", verdict = "disk" })
    assert(info.error:find("^policy.lua:%d+: .*%${y}"), info.error)
    -- so is an interpolated value that would break out of its line
    reply, info = get("/ipxe", "mac=52:54:00:12:34:56&serial=a%0Achain%20http://evil")
    assert(not reply.body:find("evil", 1, true), reply.body)
    assert(info.error and info.verdict == "ignore")
end

function tests.http_refusals()
    local reply, info = get("/ipxe", "mac=nonsense")
    assert(reply.status == 400 and reply.body:find("mac", 1, true) and info.error)
    reply = get("/ipxe", "mac=nonsense", { user_agent = "iPXE/1.0.0" })
    assert(reply.status == 200 and reply.body:find("#!ipxe", 1, true) == 1)
    for _, path in ipairs { "/", "/nope", "/assets/", "/assets", "/ipxe/", "//ipxe" } do
        reply, info = get(path)
        assert(reply.error and reply.reason == "not-found" and info == nil, path)
    end
end

function tests.http_assets()
    local reply, info = get("/assets/el9/vmlinuz")
    assert(reply.path == "el9/vmlinuz" and reply.root == "assets" and info == nil)
end

function tests.tftp_names()
    for asked, path in pairs {
        ["undionly.kpxe"] = "undionly.kpxe", ["/undionly.kpxe"] = "undionly.kpxe", ["\\Boot\\x.EFI"] = "Boot/x.EFI",
        ["//a//b"] = "a/b", ["52-54-00-12-34-56/pxelinux.0"] = "pxelinux.0",
        ["52-54-00-12-34-56/52-54-00-12-34-56/x"] = "52-54-00-12-34-56/x", ["autoexec.ipxe"] = "autoexec.ipxe",
    } do
        local reply = fetch(asked)
        assert(reply.path == path and reply.root == "tftp", asked)
    end
    assert(fetch("boot.ipxe").body == get("/boot.ipxe").body)
    assert(fetch("\\52-54-00-12-34-56\\boot.ipxe.0").body)
end

function tests.tftp_by_machine()
    local reply, info = fetch("52-54-00-00-00-01/x")
    assert(reply.reason == "denied" and reply.error == "reported stolen")
    same(info, { rule = "thief", stage = "tftp", machine = "52:54:00:00:00:01" })
    assert(fetch("52-54-00-12-34-56/grub.cfg").path == "compute/grub.cfg")
    assert(fetch("grub.cfg").path == "grub.cfg")
end

-- A reason that cannot be told yet is no reason to let it in.
function tests.denied_without_its_reason()
    local reply, info = discover("52:54:00:00:00:06")
    assert(reply == nil and info.verdict == "deny: denied")
    reply, info = fetch("52-54-00-00-00-06/x")
    assert(reply.reason == "denied" and reply.error == "denied" and info.error == nil)
    reply = get("/ipxe", "mac=52-54-00-00-00-06&serial=S1")
    assert(reply.body:find("denied: stolen: S1", 1, true), reply.body)
end

-- Whatever is asked, something defined is answered.
function tests.any_bytes_are_answered()
    math.randomseed(7)
    local pieces = { "mac=", "52-54-00-00-00-0", "&", "=", "%", "%00", "uuid=", "label.x=", "..", "/", "\\", "\0", "\n",
                     "${", "}", "{{", "\255", "ip=", "10.0.0.1", "arch=", "7", "vlan=", "serial=", "boot.ipxe", "a" }
    local function junk()
        local text = {}
        for i = 1, math.random(0, 8) do
            text[i] = pieces[math.random(#pieces)]
        end
        return table.concat(text)
    end
    for _ = 1, 3000 do
        local reply = get("/ipxe", junk(), { user_agent = junk() })
        assert(type(reply.body) == "string")
        reply = get("/" .. junk())
        assert(reply.body or reply.path or reply.error)
        reply = fetch(junk())
        assert(reply.body or reply.path or reply.error)
        discover("52:54:00:00:00:0" .. math.random(0, 9), {
            vendor_class = "PXEClient" .. junk(), hostname = junk(), user_class = junk(), ipxe = junk(),
            is_ipxe = math.random() < 0.5, arch_id = math.random(0, 50),
        })
    end
end

function tests.tftp_without_a_machine()
    local reply, info = fetch("x")
    assert(reply.path == "x" and info == nil)
end

function tests.firmware_that_boots_by_http_starts_images_itself()
    local policy = load [=[
profile "uki" { kernel = "uki.EFI" }
profile "with arguments" { kernel = "uki.efi", args = { "x" } }
rule "1" { match = { mac = "52:54:00:00:00:01" }, boot = chain "http://o/x.efi?a=b" }
rule "2" { match = { mac = "52:54:00:00:00:02" }, boot = "uki" }
rule "3" { match = { mac = "52:54:00:00:00:03" }, boot = "with arguments" }
rule "4" { match = { mac = "52:54:00:00:00:04" }, boot = chain "http://o/x.ipxe" }
rule "5" { match = { mac = "52:54:00:00:00:05" }, boot = chain "installer.iso" }
rule "6" { match = { mac = "52:54:00:00:00:06" }, boot = chain "http://o/{{serial}}.efi" }
rule "7" { boot = disk }
]=]
    local function file(n, arch_id, vendor_class)
        local reply = routes.handle(policy, {
            protocol = "dhcp", message = "discover", port = 67, mac = "52:54:00:00:00:0" .. n,
            arch_id = arch_id or 16, vendor_class = vendor_class or "HTTPClient", base = BASE, server = "10.0.0.2",
        })
        return reply and reply.dhcp.file
    end
    assert(file(1) == "http://o/x.efi?a=b" and file(2) == BASE .. "/assets/uki.EFI")
    for _, n in ipairs { 3, 4, 6 } do
        assert(file(n) == BASE .. "/assets/snponly.efi")
    end
    assert(file(5) == BASE .. "/assets/installer.iso" and file(7) == nil)
    assert(file(1, 7, "PXEClient") == "snponly.efi")
end

return tests
