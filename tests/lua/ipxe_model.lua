-- A model of how iPXE reads a script, for tests: lines and continuations (image/script.c),
-- tokens and terminators (core/exec.c), settings (core/settings.c). It runs no network:
-- `kernel`, `initrd`, `chain` and the like are recorded, and succeed or fail as told.

local model = {}

local function is_space(c)
    return c == " " or c == "\t" or c == "\n" or c == "\r" or c == "\f" or c == "\v"
end

local function split(line)
    local tokens, token = {}, ""
    for c in (line .. " "):gmatch(".") do
        if not is_space(c) then
            token = token .. c
        elseif token ~= "" then
            tokens[#tokens + 1], token = token, ""
        end
    end
    return tokens
end

local function fetch(settings, name)
    local base, kind = name:match("^([^:]*):?(.*)$")
    local setting = settings[base]
    if not setting then
        return ""
    elseif kind == "hexhyp" then
        return (setting.value:gsub(":", "-"))
    elseif setting.type == "hex" and kind == "string" then
        return (setting.value:gsub("%x%x", function(hex)
            return string.char(tonumber(hex, 16))
        end))
    elseif kind == "uristring" then
        return (setting.value:gsub("[^%w%-._~]", function(c)
            return ("%%%02X"):format(c:byte())
        end))
    end
    return setting.value
end

-- The innermost first, again and again until none is left.
local function expand(settings, token)
    for _ = 1, 100000 do
        local start, finish
        for i = 1, #token do
            if token:sub(i, i + 1) == "${" then
                start = i
            elseif start and token:sub(i, i) == "}" then
                finish = i
                break
            end
        end
        if not finish then
            return token
        end
        token = token:sub(1, start - 1) .. fetch(settings, token:sub(start + 2, finish - 1))
            .. token:sub(finish + 1)
    end
    error("iPXE would expand for ever: " .. token)
end

local function terminator(tokens, from)
    for i = from, #tokens do
        local token = tokens[i]
        if token:sub(1, 1) == "#" then
            return i - 1, nil
        elseif token == "||" or token == "&&" or token == ";" then
            return i - 1, token
        end
    end
    return #tokens, nil
end

local commands = {}

function commands.set(state, name, ...)
    local base, kind = name:match("^([^:]*):?(.*)$")
    local value = table.concat({ ... }, " ")
    state.settings[base] = value ~= "" and { value = value, type = kind } or nil
    return true
end

function commands.inc(state, name)
    local setting = state.settings[name] or { value = "0", type = "int32" }
    state.settings[name] = { value = tostring(tonumber(setting.value) + 1), type = "int32" }
    return true
end

function commands.isset(_, value)
    return value ~= ""
end

function commands.iseq(_, a, b)
    return a == b
end

commands["goto"] = function(state, label)
    for i, line in ipairs(state.lines) do
        if line:match("^%s*:(%S*)") == label then
            state.next, state.stop = i, true
            return true
        end
    end
    return false
end

function commands.exit(state, code)
    state.exited, state.stop = tonumber(code or "0"), true
    return state.exited == 0
end

function commands.choose(state, ...)
    local chosen = state.outcome("choose", ...)
    if chosen then
        state.settings[select(select("#", ...), ...)] = { value = chosen, type = "string" }
    end
    return chosen and true or false
end

for _, name in ipairs { "echo", "sleep", "imgfree", "menu", "item", "shell" } do
    commands[name] = function()
        return true
    end
end

for _, name in ipairs { "kernel", "initrd", "boot", "chain", "sanboot" } do
    commands[name] = function(state, ...)
        local good = state.outcome(name, ...)
        if good and (name == "chain" or name == "boot" or name == "sanboot") then
            state.left, state.stop = name, true
        end
        return good
    end
end

local function system(state, line)
    local tokens = split(line)
    local from, process, good = 1, true, true
    while true do
        local to, ends = terminator(tokens, from)
        if process then
            local argv = {}
            for i = from, to do
                argv[#argv + 1] = expand(state.settings, tokens[i])
            end
            good = true
            if argv[1] then
                local command = assert(commands[argv[1]], "iPXE has no command " .. tostring(argv[1]))
                state.log[#state.log + 1] = argv
                good = command(state, unpack(argv, 2))
            end
        end
        if state.stop or not ends then
            state.stop = false
            return good
        end
        process = ends == ";" or (ends == "&&") == good
        from = to + 2
    end
end

-- Runs a script. `settings`: name -> text. `outcome(command, args…)`: whether it succeeds.
-- Returns { log = every command's arguments, left = "boot", "chain", "sanboot" or nil,
-- exited = code or nil, failed = true when a line's failure ended the script }.
function model.run(script, settings, outcome)
    assert(script:find("^#!ipxe%s"), "no script")
    local state = { settings = {}, lines = {}, log = {}, next = 1, outcome = outcome or function() return true end }
    for name, value in pairs(settings or {}) do
        state.settings[name] = { value = value, type = "string" }
    end
    local pending = ""
    for line in script:gmatch("([^\n]*)\n?") do
        line = pending .. line:gsub("\r$", "")
        if line:sub(-1) == "\\" then
            pending = line:sub(1, -2)
        else
            pending = ""
            state.lines[#state.lines + 1] = line
        end
    end
    for _ = 1, 10000 do
        local line = state.lines[state.next]
        if not line or state.left or state.exited then
            return state
        end
        state.next = state.next + 1
        line = line:gsub("^%s*:%S*", "")
        if not system(state, line) then
            state.failed = state.exited == nil
            return state
        end
    end
    error("the script does not end")
end

-- How Linux splits its command line (lib/cmdline.c, next_arg): list of { name, value }.
function model.kernel_arguments(line)
    local args, at = {}, 1
    local function space(i)
        return line:sub(i, i):find("[ \t\n\v\f\r\160]") ~= nil
    end
    while true do
        while at <= #line and space(at) do
            at = at + 1
        end
        if at > #line then
            return args
        end
        local in_quote, quoted, equals = false, false, nil
        if line:sub(at, at) == '"' then
            in_quote, quoted, at = true, true, at + 1
        end
        local i = at
        while i <= #line and (in_quote or not space(i)) do
            if not equals and i > at and line:sub(i, i) == "=" then
                equals = i
            elseif line:sub(i, i) == '"' then
                in_quote = not in_quote
            end
            i = i + 1
        end
        local text_end = i - 1
        if quoted and line:sub(text_end, text_end) == '"' then
            text_end = text_end - 1
        end
        if equals then
            local value = line:sub(equals + 1, text_end)
            if value:sub(1, 1) == '"' then
                value = value:sub(2):gsub('"$', "")
            end
            args[#args + 1] = { line:sub(at, equals - 1), value }
        else
            args[#args + 1] = { line:sub(at, text_end) }
        end
        at = i + 1
    end
end

return model
