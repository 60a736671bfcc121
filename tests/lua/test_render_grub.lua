local grub = require "render.grub"
local grub_text = require "render.grub_text"
local ipxe_model = require "ipxe_model"
local model = require "grub_model"

local tests = {}

local TFTP = { protocol = "tftp", server = "10.0.0.2", base = "http://10.0.0.2:8080" }
local HTTP = { protocol = "http", server = "10.0.0.2", base = "http://10.0.0.2:80" }

local function decision(plan)
    return { verdict = "boot", initrd = plan.initrd or {}, args = plan.args or {}, kernel = plan.kernel or "vmlinuz" }
end

local function first(run, name)
    for _, argv in ipairs(run.log) do
        if argv[1] == name then
            return argv
        end
    end
end

local function count(run, name)
    local n = 0
    for _, argv in ipairs(run.log) do
        n = n + (argv[1] == name and 1 or 0)
    end
    return n
end

-- The kernel's arguments, as Linux reads what GRUB gives it.
local function arguments(args)
    local script, problem = grub.render(decision { args = args }, TFTP)
    if not script then
        return nil, problem
    end
    local line = model.command_line(first(model.run(script), "linux"))
    return ipxe_model.kernel_arguments(line), line
end

function tests.boots_what_the_profile_names()
    local plan = decision { kernel = "el9/vmlinuz", initrd = { "a+b.img", "http://other:80/x?y=1" }, args = { "a=b&c" } }
    local run = model.run(assert(grub.render(plan, TFTP)))
    assert(run.left == "boot" and count(run, "linux") == 1)
    local linux, initrd = first(run, "linux"), first(run, "initrd")
    assert(linux[2] == "(http,10.0.0.2:8080)/assets/el9/vmlinuz" and linux[3] == "a=b&c")
    assert(initrd[2] == "(http,10.0.0.2:8080)/assets/a%2Bb.img" and initrd[3] == "(http,other)/x?y=1", initrd[2])
end

-- Debian's signed image has no HTTP at all.
function tests.what_http_does_not_give_comes_by_tftp()
    local script = grub.render(decision { initrd = { "initrd.img" } }, TFTP)
    local run = model.run(script, nil, function(name, file)
        return name ~= "linux" or not file:find("http", 1, true)
    end)
    assert(run.left == "boot" and first(run, "initrd")[2] == "(tftp,10.0.0.2)/assets/initrd.img")
    assert(first(model.run(grub.render(decision {}, HTTP)), "linux")[2] == "(http,10.0.0.2)/assets/vmlinuz")
    local https = grub.render(decision {}, { server = "10.0.0.2", base = "https://10.0.0.2:8443" })
    assert(first(model.run(https), "linux")[2] == "(tftp,10.0.0.2)/assets/vmlinuz")
end

function tests.retries_are_bounded()
    local script = grub.render(decision { initrd = { "i" } }, TFTP)
    local run = model.run(script, nil, function(name) return name ~= "linux" end)
    assert(count(run, "linux") == 10 and count(run, "sleep") == 5 and run.left == "exit")
end

function tests.arguments_that_trip_script_languages()
    local cases = {
        "ds=nocloud-net;s=http://10.0.0.2/", "a=b&c", "#hash", ";", "||", "&&", "&", "|", "$HOME", "${x}", "{", "}",
        "close}", "`tick`", "%41", "*?[a]", "<>", "grün", "--", "!x", "~", "(x)", "a=two  words", "two words", " x", "x ",
    }
    for _, case in ipairs(cases) do
        local args, line = arguments { "first", case, "last" }
        assert(args and table.concat(args[2], "=") == case, tostring(line))
        assert(args[1][1] == "first" and args[3][1] == "last" and not args[4], line)
    end
end

function tests.quotes_around_a_value_are_grubs_affair()
    local args, line = arguments { 'dyndbg="file a.c +p"', 'x="y"', '"z z"' }
    assert(line == '"dyndbg=file a.c +p" x=y "z z"', line)
    assert(args[1][1] == "dyndbg" and args[1][2] == "file a.c +p" and args[2][2] == "y" and args[3][1] == "z z")
end

function tests.what_cannot_be_written_is_refused()
    for _, case in ipairs { "a\nb", "a\rb", "a\0b", "it's", "back\\slash", 'a"b', 'a="b"c', "tab\there", "à" } do
        local args, problem = arguments { case }
        assert(args == nil and type(problem) == "string", case)
    end
    for _, name in ipairs { "https://x/y", "ftp://x/y", "a\tb" } do
        local script, problem = grub.render(decision { kernel = name }, TFTP)
        assert(script == nil and type(problem) == "string", name)
    end
    assert(not grub.render({ verdict = "chain", url = "http://x/y.ipxe" }, TFTP))
    local none, problem = grub.render({ verdict = "boot", profile = { name = "p" }, args = {}, initrd = {} }, TFTP)
    assert(none == nil and problem:find('profile "p" names no kernel', 1, true))
end

function tests.random_arguments_read_back()
    local alphabet = {
        "a", "b", "=", " ", "  ", "\t", "#", ";", "||", "&", "|", "$", "{", "}", "${", "$a", "\\", "'", '"', "ü", "\160",
        "\1", "\127", "-", "%", ":", "/", "*", "?", "[", "]", "<", ">", "(", ")", "!", "`", "\n",
    }
    math.randomseed(20240612)
    local written, refused = 0, 0
    for _ = 1, 20000 do
        local args = {}
        for i = 1, math.random(4) do
            local parts = {}
            for j = 1, math.random(0, 5) do
                parts[j] = alphabet[math.random(#alphabet)]
            end
            args[i] = table.concat(parts)
        end
        local parsed, line = arguments(args)
        if parsed then
            written = written + 1
            local n = 0
            for _, arg in ipairs(args) do
                if arg ~= "" and arg ~= '""' then
                    n = n + 1
                    assert(parsed[n], line)
                    if not arg:find('"', 1, true) then
                        assert(table.concat(parsed[n], "=") == arg, ("%q read as %q"):format(arg, line))
                    end
                end
            end
            assert(not parsed[n + 1], line)
        else
            refused = refused + 1
            assert(type(line) == "string" and table.concat(args, " "):find("[%z\1-\31\"'\\\160]"),
                line .. ": " .. table.concat(args, " "))
        end
    end
    assert(written > 5000 and refused > 1000, written)
end

function tests.messages_are_harmless()
    for _, why in ipairs { "stolen'; boot; '", "a\nboot", "$x `y` \\", "grün" } do
        local run = model.run(grub.render({ verdict = "deny", why = why }, TFTP))
        assert(run.left == "exit" and not first(run, "boot"))
        assert(first(run, "echo")[2]:find("moonboot: denied: ", 1, true))
    end
    assert(grub_text.message("it's\n") == "'it'\\''s?'")
    assert(model.run(grub.failure("mac: 'x'")).left == "exit")
end

function tests.leaving()
    local disk = grub.render({ verdict = "disk" }, TFTP)
    local run = model.run(disk, { grub_platform = "efi" }, function(name, _, ...)
        if name == "search" then
            return select(select("#", ...), ...) == "/EFI/BOOT/BOOTX64.EFI" and "hd0,gpt1"
        end
        return true
    end)
    assert(run.left == "boot" and first(run, "chainloader")[2] == "/EFI/BOOT/BOOTX64.EFI")
    assert(run.variables.root == "hd0,gpt1")
    run = model.run(disk, { grub_platform = "efi" }, function(name) return name ~= "search" end)
    assert(run.left == "exit" and not first(run, "chainloader"))
    run = model.run(disk, { grub_platform = "pc" })
    assert(run.left == "boot" and run.variables.root == "hd0" and first(run, "chainloader")[2] == "+1")
    run = model.run(grub.render({ verdict = "ignore" }, TFTP))
    assert(run.left == "exit" and run.variables.answered == "yes")
    run = model.run(grub.render({ verdict = "shell" }, TFTP))
    assert(not run.left and run.variables.answered == "yes")
end

function tests.chains_to_programs_and_scripts()
    local run = model.run(grub.render({ verdict = "chain", url = "http://other/x.efi" }, TFTP))
    assert(first(run, "chainloader")[2] == "(http,other)/x.efi" and run.left == "boot")
    run = model.run(grub.render({ verdict = "chain", url = "tftp://10.9.0.1/grub/x.cfg" }, TFTP))
    assert(first(run, "configfile")[2] == "(tftp,10.9.0.1)/grub/x.cfg")
end

function tests.a_menu()
    local menu = { title = "pick", timeout = 2.5, default = 2, entries = {
        { label = "install 'now' { $x }", decision = decision { args = { "a=b c" } } },
        { label = "disk", decision = { verdict = "disk" } },
    } }
    local run = model.run(grub.render({ verdict = "menu", menu = menu }, TFTP))
    assert(run.variables.default == "1" and run.variables.timeout == "3" and #run.menu == 2 and not run.left)
    assert(run.menu[1].label == "install 'now' { $x }")
    assert(first(model.choose(run, 1), "linux")[3] == "a=b c")
    menu.timeout, menu.default = nil, nil
    run = model.run(grub.render({ verdict = "menu", menu = menu }, TFTP))
    assert(run.variables.timeout == "-1" and run.variables.default == "0")
    menu.entries[2].decision = decision { args = { "\\" } }
    assert(not grub.render({ verdict = "menu", menu = menu }, TFTP))
end

-- What the firmware's tables say, by the numbers that GRUB is asked for.
local SMBIOS = { ["1.7"] = "S&1 x", ["1.4"] = "ACME\1", ["1.5"] = "Box", uuid = "00112233-4455-6677-8899-aabbccddeeff" }

local function firmware(answer)
    return function(name, ...)
        local argv = { ... }
        if name == "smbios" then
            return argv[3] == "--get-uuid" and SMBIOS.uuid or SMBIOS[argv[2] .. "." .. argv[4]]
        elseif name == "regexp" then
            local pattern = argv[1]:gsub("%-~", "-\\126"):gsub("\\126", "\126")
            return argv[2]:find((pattern:gsub("!%-%$&%-~", "!-$&-~"))) ~= nil
        elseif name == "source" then
            return answer(...)
        end
        return true
    end
end

function tests.asks_with_what_is_known()
    local known = { grub_platform = "efi", grub_cpu = "x86_64", net_default_mac = "52:54:00:12:34:56",
                    net_default_ip = "10.0.0.9" }
    local asked
    local run = model.run(grub.ask(TFTP), known, firmware(function(file)
        asked = file
        return "set answered=yes\nexit\n"
    end))
    assert(run.left == "exit")
    assert(asked == "(tftp,10.0.0.2)/grub?platform=efi&buildarch=x86_64&mac=52:54:00:12:34:56&ip=10.0.0.9"
        .. "&uuid=00112233-4455-6677-8899-aabbccddeeff&serial=S&1 x&product=Box", asked)
    -- in a URL there can be no space
    run = model.run(grub.ask(HTTP), known, firmware(function(file)
        asked = file
        return "set answered=yes\n"
    end))
    assert(not run.left and asked:find("(http,10.0.0.2)/grub?", 1, true) and not asked:find("serial", 1, true), asked)
end

function tests.asking_is_bounded()
    local tries = 0
    local run = model.run(grub.ask(TFTP), {}, firmware(function()
        tries = tries + 1
        return false
    end))
    assert(tries == 12 and run.left == "exit")
end

return tests
