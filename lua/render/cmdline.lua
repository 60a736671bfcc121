-- The kernel's command line: a list of arguments as one line of text.
--
-- Linux splits the line at white space outside double quotes, and knows no escape
-- (lib/cmdline.c, next_arg). 0xA0 is white space to it.

local host = host
local byte, concat, find = string.byte, table.concat, string.find

local cmdline = {}

-- COMMAND_LINE_SIZE of x86 and arm64, less its NUL. What is longer Linux cuts without a word.
local LINE_MAX = 2047

-- Text without white space and quotes; nearly all arguments are such.
local is_plain = host.only "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\z
    !#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

local SPACE = "[ \t\v\f\160]"

-- Whether all white space of `arg` is inside quotes, and whether every quote is closed.
local function quoting(arg)
    local bare = arg:gsub('"[^"]*"', "")
    return not bare:find(SPACE), not bare:find('"', 1, true)
end

-- One argument as the kernel reads it back: quoted when it has white space, or nil and
-- a message when there is no way to write it.
function cmdline.word(arg)
    if is_plain(arg) or not arg:find("[%z\r\n\" \t\v\f\160]") then
        return arg
    end
    if arg:find("[%z\r\n]") then
        return nil, ("argument %q has a line break or a NUL"):format(arg)
    end
    local quoted, closed = quoting(arg)
    if quoted and closed then
        return arg
    elseif arg:find('"', 1, true) then
        return nil, closed and ("argument '%s' has white space outside its quotes"):format(arg)
            or ("argument '%s' has a quote that is not closed"):format(arg)
    end
    local key, value = arg:match("^([^= \t\v\f\160]+=)(.*)$")
    if key then
        return key .. '"' .. value .. '"'
    end
    return '"' .. arg .. '"'
end

-- The whole line, or nil and a message. Empty arguments are left out: an empty label
-- or variable leaves one behind, and it means nothing.
function cmdline.line(args)
    if is_plain(concat(args)) then
        local line = concat(args, " ")
        if #line <= LINE_MAX and byte(line) ~= 32 and byte(line, -1) ~= 32 and not find(line, "  ", 1, true) then
            return line -- of words that need nothing, none of them empty: nearly all lines are such
        end
    end
    local words = {}
    for _, arg in ipairs(args) do
        if arg ~= "" then
            local word, problem = cmdline.word(arg)
            if not word then
                return nil, problem
            end
            words[#words + 1] = word
        end
    end
    local line = table.concat(words, " ")
    if #line > LINE_MAX then
        return nil, ("the arguments are %d bytes, of which Linux would take %d"):format(#line, LINE_MAX)
    end
    return line
end

cmdline.UNVERIFIED = " is to be verified, which iPXE can and "

-- What is wrong with a profile that this loader cannot boot: one that DHCP alone knows what to do
-- with, or that is to be verified, which iPXE alone does; nil: it can.
function cmdline.unfit(decision, loader)
    local profile, problem = decision.profile, nil
    if not decision.kernel then
        problem = "%s names no kernel, which is what %s boots"
    elseif profile and profile.verify and loader ~= "iPXE" then
        problem = "%s" .. cmdline.UNVERIFIED .. "%s cannot"
    end
    return problem and problem:format(profile.name and ("profile \"%s\""):format(profile.name) or "the profile",
                                      loader)
end

return cmdline
