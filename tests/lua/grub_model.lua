-- A model of how GRUB reads a script, for tests: words, quotes and blocks (script/yylex.l,
-- parser.y), and what `linux` makes of its words (lib/cmdline.c). It loads nothing: commands are
-- recorded, and succeed or fail as told.

local model = {}

-- The text as tokens: { text =, quoted = } for words, ";" for ends of commands. Variables are
-- expanded when a command runs: parts are texts and { name = }.
local function tokens_of(text)
    local tokens, at = {}, 1
    local parts, plain
    local function put(piece)
        parts = parts or {}
        parts[#parts + 1] = piece
    end
    local function finish()
        if parts then
            tokens[#tokens + 1] = { parts = parts, plain = plain }
        end
        parts, plain = nil, true
    end
    local function variable(inside)
        local name = text:match("^%$([%a_][%w_]*)", at) or text:match("^%${([%a_][%w_]*)}", at)
        if not name then
            put "$"
            at = at + 1
            return
        end
        put { name = name, split = not inside }
        at = at + #name + (text:sub(at + 1, at + 1) == "{" and 3 or 1)
        plain = false
    end
    plain = true
    while at <= #text do
        local c = text:sub(at, at)
        if c == "'" then
            local close = assert(text:find("'", at + 1, true), "an open quote")
            put(text:sub(at + 1, close - 1))
            at, plain = close + 1, false
        elseif c == '"' then
            at, plain = at + 1, false
            put ""
            while text:sub(at, at) ~= '"' do
                local inner = text:sub(at, at)
                assert(inner ~= "", "an open quote")
                if inner == "\\" and text:find('^["$\\]', at + 1) then
                    put(text:sub(at + 1, at + 1))
                    at = at + 2
                elseif inner == "$" then
                    variable(true)
                else
                    put(inner)
                    at = at + 1
                end
            end
            at = at + 1
        elseif c == "\\" then
            put(text:sub(at + 1, at + 1))
            at, plain = at + 2, false
        elseif c == "$" then
            variable(false)
        elseif c == "#" and not parts then
            at = text:find("\n", at, true) or #text + 1
        elseif c == "\n" or c == ";" then
            finish()
            tokens[#tokens + 1] = ";"
            at = at + 1
        elseif c:find("%s") then
            finish()
            at = at + 1
        elseif c:find("[&|<>]") or c:find("[{}]") and parts then
            error("a bare " .. c)
        else
            put(c)
            at = at + 1
            if c:find("[{}]") then
                finish()
            end
        end
    end
    finish()
    return tokens
end

-- A keyword: a word written plainly.
local function is(token, word)
    return token and token ~= ";" and token.plain and table.concat(token.parts) == word
end

local parse_block

local function parse_command(p)
    local first = p.tokens[p.at]
    local function expect(word)
        assert(is(p.tokens[p.at], word), "expected " .. word)
        p.at = p.at + 1
    end
    if is(first, "if") then
        p.at = p.at + 1
        local condition = parse_block(p, "then")
        local body = parse_block(p, "fi")
        return { kind = "if", condition = condition, body = body }
    elseif is(first, "for") then
        local name = table.concat(p.tokens[p.at + 1].parts)
        p.at = p.at + 2
        expect "in"
        local words = {}
        while p.tokens[p.at] ~= ";" do
            words[#words + 1] = p.tokens[p.at]
            p.at = p.at + 1
        end
        p.at = p.at + 1
        expect "do"
        return { kind = "for", name = name, words = words, body = parse_block(p, "done") }
    elseif is(first, "menuentry") then
        local label = p.tokens[p.at + 1]
        p.at = p.at + 2
        expect "{"
        return { kind = "menuentry", label = label, body = parse_block(p, "}") }
    end
    local words = {}
    while p.tokens[p.at] and p.tokens[p.at] ~= ";" do
        words[#words + 1] = p.tokens[p.at]
        p.at = p.at + 1
    end
    return { kind = "command", words = words }
end

function parse_block(p, last)
    local list = {}
    while true do
        local token = p.tokens[p.at]
        if token == nil then
            assert(not last, "no " .. tostring(last))
            return list
        elseif token == ";" then
            p.at = p.at + 1
        elseif last and is(token, last) then
            p.at = p.at + 1
            return list
        else
            list[#list + 1] = parse_command(p)
        end
    end
end

-- A word's text; an unquoted variable that is empty is no word at all.
local function expand(state, word)
    local text, any = {}, not word.parts[1] or nil
    for i, part in ipairs(word.parts) do
        if type(part) == "table" then
            text[i] = state.variables[part.name] or ""
            any = any or not part.split or text[i] ~= ""
        else
            text[i], any = part, true
        end
    end
    return any and table.concat(text) or nil
end

local LEAVES = { boot = true, exit = true }

local run

local function command(state, words)
    local argv = {}
    for _, word in ipairs(words) do
        argv[#argv + 1] = expand(state, word)
    end
    local name = argv[1]
    local variable, value = (argv[2] or ""):match("^([%w_]+)=(.*)$")
    if name == "set" and variable then
        state.variables[variable] = value
        return true
    elseif name == "[" then
        if argv[2] == "-z" then
            return argv[3] == "" or argv[3] == "]"
        elseif argv[2] == "-n" then
            return argv[3] ~= "" and argv[3] ~= "]"
        end
        return argv[2] == argv[4]
    end
    state.log[#state.log + 1] = argv
    local good = state.outcome(unpack(argv))
    if good and (name == "source" or name == "configfile") and type(good) == "string" then
        return run(state, parse_block({ tokens = tokens_of(good), at = 1 }))
    elseif good and (name == "smbios" or name == "search") then
        for i, arg in ipairs(argv) do
            state.variables[arg == "--set" and argv[i + 1] or arg:match("^%-%-set=(.+)$") or ""] = good
        end
    elseif good and LEAVES[name] then
        state.left = name
    end
    return good and true or false
end

function run(state, list)
    local good = true
    for _, node in ipairs(list) do
        if state.left then
            return good
        elseif node.kind == "if" then
            if run(state, node.condition) and not state.left then
                good = run(state, node.body)
            end
        elseif node.kind == "for" then
            for _, word in ipairs(node.words) do
                state.variables[node.name] = expand(state, word)
                good = run(state, node.body)
                if state.left then
                    break
                end
            end
        elseif node.kind == "menuentry" then
            table.insert(state.menu, { label = expand(state, node.label), body = node.body })
        else
            good = command(state, node.words)
        end
    end
    return good
end

-- Runs a script -> { log = every command's words, left = "boot", "exit" or nil, menu = entries,
-- variables = }. `outcome(command, …)`: whether it succeeds; a script for `source`, a value for
-- `smbios` and `search`.
function model.run(script, variables, outcome)
    local state = { log = {}, menu = {}, variables = variables or {}, outcome = outcome or function() return true end }
    run(state, parse_block({ tokens = tokens_of(script), at = 1 }))
    return state
end

-- Runs what stands behind an entry of the menu.
function model.choose(state, number)
    run(state, state.menu[number].body)
    return state
end

-- What `linux` makes of its words, without the kernel's name.
function model.command_line(argv)
    local words = {}
    for i = 3, #argv do
        local word = argv[i]:gsub("[\\'\"]", "\\%0")
        words[#words + 1] = word:find(" ", 1, true) and '"' .. word .. '"' or word
    end
    return table.concat(words, " ")
end

return model
