local cmdline = require "render.cmdline"
local ipxe = require "render.ipxe"
local model = require "ipxe_model"
local text = require "render.ipxe_text"

local tests = {}

local BASE = "http://10.0.0.2:8080"

local function decision(plan)
    return { verdict = "boot", initrd = plan.initrd or {}, args = plan.args or {}, kernel = plan.kernel }
end

local function kernel_of(run)
    for _, argv in ipairs(run.log) do
        if argv[1] == "kernel" then
            return argv
        end
    end
end

-- What the kernel gets as its command line: iPXE joins the arguments behind the URL.
local function command_line(script)
    local argv = kernel_of(model.run(script))
    local at = argv[2] == "--name" and 4 or 2
    return table.concat(argv, " ", at + 1), argv[at]
end

local function rendered_line(args, machine)
    local script, problem = ipxe.render(decision { kernel = "vmlinuz", args = args }, BASE, machine or { arch = "bios" })
    if not script then
        return nil, problem
    end
    return command_line(script)
end

function tests.boots_what_the_profile_names()
    local script = assert(ipxe.render(decision {
        kernel = "el9/vm linuz", initrd = { "el9/initrd.img", "http://other/x?y=1" }, args = { "ip=dhcp", "a=b&c" },
    }, BASE, { arch = "bios" }))
    local run = model.run(script)
    assert(run.left == "boot")
    local line, url = command_line(script)
    assert(line == "ip=dhcp a=b&c", line)
    assert(url == BASE .. "/assets/el9/vm%20linuz", url)
    local initrds = {}
    for _, argv in ipairs(run.log) do
        if argv[1] == "initrd" then
            initrds[#initrds + 1] = argv[4]
        end
    end
    assert(initrds[1] == BASE .. "/assets/el9/initrd.img" and initrds[2] == "http://other/x?y=1")
end

function tests.efi_kernels_find_their_initrds_by_name()
    local plan = { kernel = "k", initrd = { "a", "b" }, args = { "x", "--", "init-arg" } }
    local script = ipxe.render(decision(plan), BASE, { arch = "efi-x64" })
    assert(command_line(script) == "initrd=initrd1 initrd=initrd2 x -- init-arg")
    script = ipxe.render(decision(plan), BASE, { arch = "bios" })
    assert(command_line(script) == "x -- init-arg")
end

function tests.arguments_that_trip_script_languages()
    local cases = {
        "ds=nocloud-net;s=http://10.0.0.2/", "a=b&c", "#hash", ";", "||", "&&", "&", "|", "x#y",
        "$HOME", "${open", "close}", "back\\slash", "end\\", "'single'", "`tick`", "%41", "*?[a]", "<>",
        "uml\195\164ut", "nbsp\195\160", "--name", "-v", "--", "!x", "~", "a:b", ":label", "(x)", "\\\\",
    }
    for _, case in ipairs(cases) do
        local line, problem = rendered_line { "first", case }
        assert(line, problem)
        local args = model.kernel_arguments(line)
        assert(args[1][1] == "first" and not args[3], line)
        assert(table.concat(args[2], "=") == case, line)
    end
end

function tests.white_space_is_quoted_for_the_kernel()
    assert(rendered_line { "a=b c" } == 'a="b c"')
    assert(rendered_line { "b c" } == '"b c"')
    assert(rendered_line { "a=two  spaces" } == 'a="two  spaces"')
    assert(rendered_line { "a= lead" } == 'a=" lead"')
    assert(rendered_line { "a=trail " } == 'a="trail "')
    assert(rendered_line { "a=tab\there" } == 'a="tab\there"')
    assert(rendered_line { 'dyndbg="file a.c +p"' } == 'dyndbg="file a.c +p"')
    assert(rendered_line { "", "x", "" } == "x")
end

function tests.what_cannot_be_written_is_refused()
    for _, case in ipairs { "a\nb", "a\rb", "a\0b", 'a"b', 'a="b" c', "${x}", "a${b}c", "${a{}b" } do
        local line, problem = rendered_line { case }
        assert(line == nil and type(problem) == "string", case)
    end
end

function tests.a_profile_without_a_kernel()
    local d = decision {}
    d.profile = { name = "by tftp" }
    local script, problem = ipxe.render(d, BASE, {})
    assert(script == nil and problem:find("by tftp", 1, true))
end

-- Hostile bytes in every order: what is rendered reads back as what went in.
function tests.random_arguments_read_back()
    local alphabet = {
        "a", "b", "=", " ", "  ", "\t", "#", ";", "||", "&&", "&", "|", "$", "{", "}", "${", "\\", "'", '"',
        "\195\164", "\160", "\1", "\127", "-", "--", "%", ":", "/",
    }
    math.randomseed(20240611)
    local written, refused = 0, 0
    for _ = 1, 20000 do
        local args = {}
        for i = 1, math.random(4) do
            local parts = {}
            for j = 1, math.random(0, 6) do
                parts[j] = alphabet[math.random(#alphabet)]
            end
            args[i] = table.concat(parts)
        end
        local line, problem = cmdline.line(args)
        local used = {}
        local tokens
        if line then
            tokens, problem = text.tokens(line, used)
        end
        if tokens then
            written = written + 1
            local script = "#!ipxe\n" .. table.concat(text.settings(used), "\n") .. "\nkernel url "
                .. tokens .. "\n"
            local got = command_line(script)
            assert(got == line, ("%q became %q"):format(line, got))
            local parsed, n = model.kernel_arguments(got), 0
            for _, arg in ipairs(args) do
                if arg ~= "" then
                    n = n + 1
                    assert(parsed[n], got)
                    if not arg:find('"', 1, true) then
                        assert(table.concat(parsed[n], "=") == arg, ("%q read as %q"):format(arg, got))
                    end
                end
            end
            assert(not parsed[n + 1], got)
        else
            refused = refused + 1
            assert(problem)
            local joined = table.concat(args, " ")
            assert(joined:find('"', 1, true) or joined:find("%${.*}"), joined)
        end
    end
    assert(written > 10000 and refused > 100)
end

function tests.retries_are_bounded()
    local script = ipxe.render(decision { kernel = "k", initrd = { "i" } }, BASE, { arch = "bios" })
    local run = model.run(script, { platform = "pcbios" }, function(command)
        return command ~= "initrd"
    end)
    local tries = 0
    for _, argv in ipairs(run.log) do
        tries = tries + (argv[1] == "kernel" and 1 or 0)
    end
    assert(tries == 5 and run.exited == 0)
    run = model.run(script, { platform = "efi" }, function(command)
        return command ~= "boot"
    end)
    assert(run.exited == 1)
end

function tests.leaving_by_firmware()
    local disk = ipxe.render({ verdict = "disk" }, BASE, {})
    assert(model.run(disk, { platform = "pcbios" }).left == "sanboot")
    assert(model.run(disk, { platform = "pcbios" }, function() return false end).exited == 0)
    assert(model.run(disk, { platform = "efi" }).exited == 1)
    local ignore = ipxe.render({ verdict = "ignore" }, BASE, {})
    assert(model.run(ignore, { platform = "pcbios" }).exited == 0)
    assert(model.run(ignore, { platform = "efi" }).exited == 1)
    assert(ipxe.render({ verdict = "undetermined" }, BASE, {}) == ignore)
end

function tests.denied_says_why_and_is_harmless()
    local script = ipxe.render({ verdict = "deny", why = "stolen\nboot || ${x} ; \195\164" }, BASE, {})
    local run = model.run(script, { platform = "efi" })
    assert(run.exited == 1 and not run.left)
    local echo
    for _, argv in ipairs(run.log) do
        echo = argv[1] == "echo" and table.concat(argv, " ") or echo
    end
    assert(echo == "echo moonboot: denied: stolen?boot || $ {x} ; ?", echo)
end

function tests.chain_replaces_the_script()
    local script = ipxe.render({ verdict = "chain", url = "http://other/menu.ipxe?a=1#x y" }, BASE, {})
    local run = model.run(script)
    assert(run.left == "chain")
    local argv = run.log[#run.log]
    assert(argv[#argv] == "http://other/menu.ipxe?a=1#x%20y", argv[#argv])
    assert(argv[2] == "--replace" and argv[3] == "--autofree")
end

function tests.asks_with_what_is_known()
    local asked
    local function outcome(command, ...)
        asked = select(select("#", ...), ...)
        return command == "chain"
    end
    local script = ipxe.ask(BASE)
    model.run(script, {
        buildarch = "x86_64", platform = "efi", ["netX/mac"] = "52:54:00:12:34:56", serial = "A&B #1+x",
        ["netX/ip"] = "10.0.0.9", uuid = "00112233-4455-6677-8899-aabbccddeeff",
    }, outcome)
    assert(asked == BASE .. "/ipxe?buildarch=x86_64&mac=52-54-00-12-34-56&platform=efi"
        .. "&uuid=00112233-4455-6677-8899-aabbccddeeff&serial=A%26B%20%231%2Bx&ip=10.0.0.9", asked)
    model.run(script, { mac = "52:54:00:00:00:01" }, outcome)
    assert(asked == BASE .. "/ipxe?buildarch=&mac=52-54-00-00-00-01", asked)
end

function tests.asking_is_bounded()
    local tries = 0
    local run = model.run(ipxe.ask(BASE), { platform = "efi" }, function()
        tries = tries + 1
        return false
    end)
    assert(tries == 30 and run.exited == 1)
end

function tests.a_failure_starts_over_and_ends()
    local script = ipxe.failure("mac: found \"x\" || boot", BASE)
    local run = model.run(script, { platform = "pcbios" })
    assert(run.left == "chain" and run.settings.failed.value == "1")
    run = model.run(script, { platform = "pcbios", failed = "29" })
    assert(run.exited == 0 and not run.left)
end

function tests.efis_characters()
    assert(rendered_line({ "a=gr\195\188n" }, { arch = "efi-x64" }) == "a=gr\252n")
    assert(rendered_line({ "\194\191" }, { arch = "efi-x64" }) == "\191")
    assert(rendered_line { "a=gr\195\188n" } == "a=gr\195\188n")
    for _, case in ipairs { "\226\130\172", "\195", "\188", "\196\129", "a\255" } do
        local line, problem = rendered_line({ case }, { arch = "efi-x64" })
        assert(line == nil and problem:find("U+00FF", 1, true), case)
    end
end

function tests.a_line_that_linux_would_cut()
    assert(rendered_line { ("x"):rep(2047) })
    assert(not rendered_line { ("x"):rep(2000), ("y"):rep(48) })
end

function tests.shell()
    local run = model.run(ipxe.render({ verdict = "shell" }, BASE, {}), { platform = "efi" })
    assert(run.exited == 1)
end

function tests.a_menu()
    local menu = { title = "-- pick # one", timeout = 2.5, default = 2, entries = {
        { label = "install ;\n${x}", decision = decision { kernel = "k", args = { "#a", "b" } } },
        { label = "disk", decision = { verdict = "disk" } },
        { label = "more", decision = { verdict = "chain", url = "http://o/x" } },
    } }
    local chosen
    local function choose(command)
        if command == "choose" then
            return chosen
        end
        return command ~= "sanboot"
    end
    local script = assert(ipxe.render({ verdict = "menu", menu = menu }, BASE, { arch = "bios" }))
    assert(script:find("choose --default entry_2 --timeout 2500 selected || goto leave\n", 1, true), script)
    chosen = "entry_1"
    local run = model.run(script, { platform = "pcbios" }, choose)
    assert(run.left == "boot" and run.log[1][1] == "set" and kernel_of(run)[3] == "#a")
    local items = {}
    for _, argv in ipairs(run.log) do
        if argv[1] == "item" or argv[1] == "menu" then
            items[#items + 1] = table.concat(argv, " ")
        end
    end
    assert(items[1] == "menu pick # one" and items[2] == "item entry_1 install ;?$ {x}", items[2])
    chosen = "entry_3"
    assert(model.run(script, { platform = "pcbios" }, choose).left == "chain")
    chosen = "entry_2"
    assert(model.run(script, { platform = "efi" }, choose).exited == 1)
    chosen = nil
    assert(model.run(script, { platform = "efi" }, choose).exited == 1)
    menu.timeout, menu.default = nil, nil
    assert(ipxe.render({ verdict = "menu", menu = menu }, BASE, {}):find("choose selected ||", 1, true))
    menu.entries[1].decision = decision { kernel = "k", args = { "${x}" } }
    assert(not ipxe.render({ verdict = "menu", menu = menu }, BASE, {}))
end

return tests
