-- The policies that come with the program, where their own tests (policies/*/…_test.lua) do not
-- reach: what they refuse, and what they answer by TFTP.

local engine = require "engine"
local policies = require "policies"

local tests = {}

local function load(files)
    local policy, problems = policies.load_files(files)
    assert(policy, problems and table.concat(problems, "\n"))
    return policy
end

local function refuses(files, expected)
    local policy, problems = policies.load_files(files)
    assert(not policy, "the policy loaded")
    local found, wanted = table.concat(problems, "\n"), table.concat(expected, "\n")
    if found ~= wanted then
        error("expected:\n" .. wanted .. "\nfound:\n" .. found, 2)
    end
end

local function tftp(policy, file)
    return engine.handle(policy, {
        protocol = "tftp", file = file, client = "10.0.0.50", server = "10.0.0.2", base = "http://10.0.0.2:8080",
    })
end

function tests.problem_names_its_file_and_line()
    refuses({
        ["policy.lua"] = 'problem("hosts.conf", 3, "no such host")\nproblem("hosts.conf", 1, "empty")\n'
            .. 'problem("hosts.conf")\nrule "a" { boot = disk, bot = 1 }',
    }, {
        'site/policy.lua:3: problem: expected a file\'s name, a line and a text: problem("hosts.conf", 3, "…")',
        'site/policy.lua:4: unknown key "bot" in rule "a" (did you mean "boot"?)',
        "site/hosts.conf:1: empty",
        "site/hosts.conf:3: no such host",
    })
end

function tests.what_of_a_dnsmasq_conf_cannot_be_followed()
    refuses({
        ["policy.lua"] = 'rule "d" { boot = require "moonboot.dnsmasq" "dnsmasq.conf" }',
        ["dnsmasq.conf"] = [=[
port=0
dhcp-range=10.0.0.0,proxy
dhcp-match=set:a,option:client-interface-id
dhcp-match=set:b,vi-encap:343
pxe-service=vax,"Menu",file
pxe-service=x86PC
pxe-color=blue
dhcp-boot=file,,server.lab
dhcp-host=id:01:02:03,set:x
dhcp-mac=set:a,52:54:00
tag-if=set:c,a
dhcp-option=67,file
dhcp-option=vendor:PXEClient,9,"x"
conf-file=/etc/more.conf
conf-dir=/etc/gone.d
resolv-file=/etc/resolv.conf
]=],
        ["more.conf"] = "dhcp-match=set:a\n",
    }, {
        "site/dnsmasq.conf:3: dhcp-match: cannot follow a match on option 94: moonboot is told options 12, 60, 77, 93 and 175",
        'site/dnsmasq.conf:4: dhcp-match: cannot follow "vi-encap:343"',
        'site/dnsmasq.conf:5: pxe-service: there is no client system "vax"; there are x86PC, x86-64_EFI, …, and numbers',
        "site/dnsmasq.conf:6: pxe-service: has no menu text",
        "site/dnsmasq.conf:7: pxe-color: moonboot knows no such directive",
        'site/dnsmasq.conf:8: dhcp-boot: the server "server.lab" is a name: write its address',
        "site/dnsmasq.conf:9: dhcp-host: knows its machine by a client identifier, which moonboot is not told: "
            .. "add the hardware address",
        "site/dnsmasq.conf:10: dhcp-mac: wants a tag and a hardware address, such as 52:54:00:*:*:*",
        'site/dnsmasq.conf:11: tag-if: "a" is neither set:… nor tag:…',
        "site/dnsmasq.conf:12: dhcp-option: cannot follow option 67: say it by dhcp-boot",
        "site/dnsmasq.conf:13: dhcp-option: cannot follow a vendor option 9 of PXE: use pxe-service and pxe-prompt",
        "site/dnsmasq.conf:15: conf-dir: there is no directory gone.d for the policy to read",
        "site/more.conf:1: dhcp-match: cannot follow a match on this option: moonboot is told options 12, 60, 77, 93 and 175",
    })
end

function tests.a_dnsmasq_conf_that_is_not_there()
    refuses({
        ["policy.lua"] = 'local dnsmasq = require "moonboot.dnsmasq"\nlocal boot = dnsmasq "gone.conf"\nrule "d" { boot = boot }',
    }, { "site/policy.lua:2: dnsmasq: there is no file gone.conf for the policy to read" })
end

function tests.dnsmasq_as_dhcp_server_forces_options()
    local policy = load {
        ["policy.lua"] = 'rule "d" { boot = require "moonboot.dnsmasq" "dnsmasq.conf" }',
        ["dnsmasq.conf"] = [=[
dhcp-range=10.0.0.50,10.0.0.99 # leases
dhcp-boot=lpxelinux.0
dhcp-host=52:54:00:00:00:02,ignore
dhcp-option-force=209,"pxelinux.cfg/lab, second"
dhcp-option-force=tag:x,210,http://10.0.0.9/
dhcp-option=210,not-forced
]=],
    }
    local function ask(mac)
        local reply = engine.handle(policy, {
            protocol = "dhcp", message = "discover", port = 67, server = "10.0.0.2", base = "http://10.0.0.2:8080",
            mac = mac, arch_id = 0, vendor_class = "PXEClient:Arch:00000", wants = {},
        })
        return reply and reply.dhcp
    end
    local reply = ask "52:54:00:00:00:01"
    assert(reply.file == "lpxelinux.0" and reply.options[209] == "pxelinux.cfg/lab, second" and not reply.options[210])
    assert(not ask "52:54:00:00:00:02")
end

function tests.files_of_raspberry_pis()
    local policy = load {
        ["policy.lua"] = 'rule "Pis" { boot = require "moonboot.raspberry_pi" { root = "tftp", firmware = "fw" } }',
        ["tftp/fw/start4.elf"] = "", ["tftp/fw/config.txt"] = "", ["tftp/fw/overlays/vc4.dtbo"] = "",
        ["tftp/1a2b3c4d/config.txt"] = "", ["tftp/1a2b3c4d/cmdline.txt"] = "",
        ["tftp/dc-a6-32-00-00-01/cmdline.txt"] = "",
    }
    for asked, expected in pairs {
        ["1a2b3c4d/start4.elf"] = "fw/start4.elf", ["1a2b3c4d/config.txt"] = "1a2b3c4d/config.txt",
        ["1a2b3c4d/cmdline.txt"] = "1a2b3c4d/cmdline.txt", ["1a2b3c4d/overlays/vc4.dtbo"] = "fw/overlays/vc4.dtbo",
        ["start4.elf"] = "fw/start4.elf", ["ffffffff/start4.elf"] = "ffffffff/start4.elf",
        ["dc-a6-32-00-00-01/cmdline.txt"] = "dc-a6-32-00-00-01/cmdline.txt",
        ["dc-a6-32-00-00-01/start4.elf"] = "fw/start4.elf",
        ["dc-a6-32-00-00-02/start4.elf"] = "fw/start4.elf",
    } do
        local reply = tftp(policy, asked)
        assert(reply.root == "tftp" and reply.path == expected, asked .. " is " .. tostring(reply.path))
    end
end

function tests.shim_and_grub_of_a_distribution()
    local policy = load {
        ["policy.lua"] = [=[
local fedora = require "moonboot.secure_boot" "fedora"
profile "fedora" { kernel = "k", dhcp = fedora.dhcp, files = fedora.files }
rule "Fedora's" { match = { mac = prefix "52:54:00" }, boot = "fedora" }
]=],
    }
    assert(tftp(policy, "52-54-00-00-00-01/shimx64.efi").path == "fedora/shimx64.efi")
    assert(tftp(policy, "52-54-00-00-00-01/grubx64.efi").path == "fedora/grubx64.efi")
    assert(tftp(policy, "02-54-00-00-00-01/grubx64.efi").path == "grubx64.efi")
end

function tests.a_script_of_the_sites_own_goes_before_moonboots()
    local policy = load {
        ["policy.lua"] = 'rule "own" { match = { stage = "tftp" }, boot = ignore, files = { ["boot.ipxe"] = "own.ipxe" } }',
    }
    assert(tftp(policy, "boot.ipxe").path == "own.ipxe")
    assert(tftp(policy, "boot.ipxe.0").body:find("^#!ipxe"))
end

function tests.a_pxelinux_tree_by_tftp_stands_as_it_is()
    local policy = load {
        ["policy.lua"] = 'rule "p" { boot = require "moonboot.pxelinux"("tftp", { bios = "pxelinux.0" }) }',
        ["tftp/pxelinux.cfg/default"] = "DEFAULT linux\nLABEL linux\nKERNEL vmlinuz\n",
    }
    for _, name in ipairs { "default", "01-52-54-00-12-34-56", "0A000032" } do
        local reply = tftp(policy, "pxelinux.cfg/" .. name)
        assert(reply.root == "tftp" and reply.path == "pxelinux.cfg/" .. name and not reply.body)
    end
end

function tests.what_of_a_pxelinux_tree_cannot_be_read()
    refuses({
        ["policy.lua"] = 'local pxelinux = require "moonboot.pxelinux"\nrule "p" { boot = pxelinux "tftp" }',
        ["tftp/pxelinux.cfg/default"] = "\nINCLUDE gone.cfg\nINCLUDE pxelinux.cfg/default\n",
    }, {
        "site/tftp/pxelinux.cfg/default:2: include: there is no file tftp/gone.cfg for the policy to read",
        "site/tftp/pxelinux.cfg/default:3: files include each other without an end",
    })
    refuses({ ["policy.lua"] = 'local pxelinux = require "moonboot.pxelinux"\nlocal boot = pxelinux "tftp"\nrule "p" { boot = boot }' },
            { "site/policy.lua:2: pxelinux: there is no directory tftp/pxelinux.cfg for the policy to read" })
end

return tests
