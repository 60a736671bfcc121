-- `verify = true`: what iPXE is told to verify, and who else refuses.

local engine = require "engine"
local routes = require "routes"

local tests = {}

local POLICY = [[
profile "p" {
  kernel = "el9/vmlinuz", initrd = { "el9/initrd.img", "http://other/x.img?y=1" }, args = { "quiet" }, verify = true,
}
profile "image" { kernel = "shell.efi", verify = true }
profile "odd" { kernel = "http://other/run?name=vm%20linuz", verify = true }
rule "menu" { match = { vlan = 7 }, boot = menu { { "first", "p" }, { "second", "odd" } } }
rule "image" { match = { vlan = 8 }, boot = "image" }
rule "odd" { match = { vlan = 9 }, boot = "odd" }
rule "all" { boot = "p", on_error = deny "no" }
]]

local function load(text, unsigned)
    return engine.load { text = text, display = "policy.lua", unsigned = unsigned }
end

local function asked(path, query)
    local policy = assert(load(POLICY))
    return routes.handle(policy, {
        protocol = "http", method = "GET", path = path, query = query, client = "10.0.0.9", server = "10.0.0.2",
        base = "http://10.0.0.2",
    })
end

function tests.each_image_is_verified_before_it_boots()
    local script = asked("/ipxe", "mac=52:54:00:00:00:01&platform=efi&buildarch=x86_64").body
    local wanted = {
        ":load", "imgfree", "imgtrust --permanent || goto failed",
        "kernel http://10.0.0.2/assets/el9/vmlinuz initrd=initrd1 initrd=initrd2 quiet || goto failed",
        "imgverify vmlinuz http://10.0.0.2/assets/el9/vmlinuz.cms || goto failed",
        "initrd --name initrd1 http://10.0.0.2/assets/el9/initrd.img || goto failed",
        "imgverify initrd1 http://10.0.0.2/assets/el9/initrd.img.cms || goto failed",
        "initrd --name initrd2 http://other/x.img?y=1 || goto failed",
        "imgverify initrd2 http://other/x.img.cms?y=1 || goto failed",
        "boot ||", ":failed",
    }
    assert(script:find("\n" .. table.concat(wanted, "\n") .. "\n", 1, true), script)
end

function tests.an_image_is_verified_by_the_name_that_it_has()
    local script = asked("/ipxe", "mac=52:54:00:00:00:01&vlan=9").body
    assert(script:find("\nkernel --name vmlinuz http://other/run?name=vm%20linuz", 1, true), script)
    assert(script:find("\nimgverify vmlinuz http://other/run.cms?name=vm%20linuz || goto failed\n", 1, true), script)
end

function tests.entries_of_a_menu_too()
    local script = asked("/ipxe", "mac=52:54:00:00:00:01&vlan=7").body
    for i = 1, 2 do
        assert(script:find("\nimgtrust --permanent || goto failed_" .. i .. "\n", 1, true), script)
    end
    assert(script:find("vmlinuz.cms || goto failed_1\n", 1, true), script)
end

function tests.others_cannot_and_so_do_not()
    local body = asked("/grub", "mac=52:54:00:00:00:01").body
    assert(body:find("denied: no", 1, true) and not body:find("linux", 1, true), body)
    local reply = asked("/v1/boot/52:54:00:00:00:01")
    assert(not (reply.body or ""):find("kernel", 1, true))
    assert(asked("/pxelinux.cfg/01-52-54-00-00-00-01").body:find("no", 1, true))
end

function tests.firmware_is_not_sent_an_image_past_ipxe()
    local text = POLICY:gsub("vlan = 8", "arch = \"efi-x64-http\"")
    local policy = assert(load(text))
    local reply = routes.handle(policy, {
        protocol = "dhcp", message = "discover", port = 67, mac = "52:54:00:00:00:01", arch_id = 16,
        vendor_class = "HTTPClient:Arch:00016:UNDI:003001", server = "10.0.0.2", base = "http://10.0.0.2",
        wants = {},
    })
    local sent = require("json").encode(reply)
    assert(not sent:find("shell.efi", 1, true), sent)
end

function tests.a_site_that_signs_nothing_is_told_at_load()
    local _, problems = load('profile "p" {\n  kernel = "k",\n  verify = true,\n}\nrule "r" { boot = "p" }\n', true)
    assert(#problems == 1 and problems[1]
           == "policy.lua:3: verify: this site signs nothing that iPXE could verify: "
              .. "write `signing: { cms_cert: …, cms_key: … }` into site.yaml", problems and problems[1])
    assert(load('profile "p" { kernel = "k", verify = false } rule "r" { boot = "p" }', true))
end

function tests.that_others_cannot_is_nothing_to_warn_of()
    local warnings = require("selfcheck").run(assert(load(POLICY)))
    assert(#warnings == 0, warnings[1])
end

function tests.it_is_true_or_false()
    local _, problems = load('profile "p" { kernel = "k", verify = "yes" }')
    assert(#problems == 1 and problems[1] == 'policy.lua:1: verify: found "yes", expected true or false', problems[1])
end

return tests
