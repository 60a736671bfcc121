-- The engine's `host` for plain LuaJIT, so that its tests run without the C half:
-- `luajit tests/lua/run.lua`. Directory handles are paths here.

local util = require "jit.util"
local vmdef = require "jit.vmdef"

local host = { json = require "cjson", pattern = string, normal = {} }

-- libyaml is C's; what can be said without it.
function host.yaml(text)
    return { text = text }
end

-- So are inventories: this one knows the name of a var, and no host.
function host.inventory(dir, path, _, _, key)
    local text, message = host.read(dir, path)
    local function none()
    end
    return text and {
        key = function() return key or "mac" end, hash = function() return text end,
        var = function(_, i) return i == 1 and text:match "vars: { (%w+):" or nil end,
        bootless = none, sealed = none, find = none, profile = none,
    }, message
end

-- Nothing is opened here: tests/unit/test_seal.c tests the real one.
function host.seal_problem(text)
    local name = text:match "^seal1%.%x+%.([%w_-]*)%.[%w_-]+$" or text:match "^seal1%.%x+%.[%w_-]+$" and ""
    if not name then
        return "it is no sealed value"
    end
    return nil, name
end

local function leads_out(path)
    return path:find("^/") or ("/" .. path .. "/"):find("/%.%./")
end

-- io's message -> without the path, and whether there is no such file.
local function file_error(message)
    message = message:match("([^:]+)$"):gsub("^ ", "")
    return nil, message, message:find("No such file", 1, true) ~= nil
end

function host.read(dir, path)
    if leads_out(path) then
        return nil, "the name leads out of the policy's directory", false
    end
    local file, message = io.open(dir .. "/" .. path, "rb")
    if not file then
        return file_error(message)
    end
    local text
    text, message = file:read "*a"
    file:close()
    if not text then
        return file_error(message)
    end
    return text
end

function host.list(dir, path)
    if leads_out(path) then
        return nil, "the name leads out of the policy's directory", false
    end
    local names = {}
    local pipe = assert(io.popen(("ls -Ap '%s/%s' 2>/dev/null"):format(dir, path)))
    for name in pipe:lines() do
        table.insert(names, name)
    end
    pipe:close()
    if #names == 0 then
        return nil, "No such file or directory", true
    end
    return names
end

function host.policy(name)
    local file = io.open("policies/" .. name:gsub("%.", "/") .. ".lua", "rb")
    local text = file and file:read "*a"
    return file and file:close() and text or nil
end

function host.load(text, chunk, env)
    local f, message = load(text, chunk, "t", env)
    return f, message
end

local function opcode(instruction)
    local at = bit.band(instruction, 0xff) * 6
    return (vmdef.bcnames:sub(at + 1, at + 6):gsub(" ", ""))
end

local function globals_of(f, found)
    for pc = 1, math.huge do
        local instruction = util.funcbc(f, pc)
        if not instruction then
            break
        end
        local op = opcode(instruction)
        if op == "GGET" or op == "GSET" then
            local use = {
                name = util.funck(f, -bit.rshift(instruction, 16) - 1),
                line = util.funcinfo(f, pc).currentline,
                set = op == "GSET",
            }
            local after = util.funcbc(f, pc + 1)
            local register = bit.band(bit.rshift(instruction, 8), 0xff)
            if op == "GGET" and after and opcode(after) == "TGETS"
                and bit.rshift(after, 24) == register then
                use.field = util.funck(f, -bit.band(bit.rshift(after, 16), 0xff) - 1)
            end
            table.insert(found, use)
        end
    end
    for i = -1, -math.huge, -1 do
        local constant = util.funck(f, i)
        if constant == nil then
            break
        elseif type(constant) == "proto" then
            globals_of(constant, found)
        end
    end
    return found
end

function host.names(text, chunk)
    local f, message = load(text, chunk, "t")
    if not f then
        return nil, message
    end
    return globals_of(f, {})
end

function host.where(level)
    local info = debug.getinfo(level + 1, "Sl")
    if info then
        return (info.source:gsub("^[@=]", "")), info.currentline
    end
end

local function decoded(text)
    return (text:gsub("%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
    end))
end

function host.query(text)
    local fields, last = {}, nil
    for part in text:gmatch "[^&]+" do
        local name, value = part:match "^([^=]+)=(.*)$"
        if name then
            name, last = decoded(name), nil
            if value ~= "" and fields[name] == nil then
                fields[name], last = decoded(value), name
            end
        elseif last then
            fields[last] = fields[last] .. "&" .. decoded(part)
        end
    end
    return fields
end

function host.only(bytes)
    return function(text)
        for i = 1, #text do
            if not bytes:find(text:sub(i, i), 1, true) then
                return false
            end
        end
        return true
    end
end

function host.mac(text)
    local digits = {}
    local groups = { text:match("^(%x%x?)([:-])(%x%x?)%2(%x%x?)%2(%x%x?)%2(%x%x?)%2(%x%x?)$") }
    if groups[1] then
        table.remove(groups, 2)
        for i, group in ipairs(groups) do
            digits[i] = ("0" .. group):sub(-2)
        end
    else
        local plain = text:match("^(%x+)$")
        if text:find("^%x%x%x%x%.%x%x%x%x%.%x%x%x%x$") then
            plain = text:gsub("%.", "")
        end
        if not plain or #plain ~= 12 then
            return nil
        end
        for pair in plain:gmatch("..") do
            table.insert(digits, pair)
        end
    end
    return table.concat(digits, ":"):lower()
end

function host.uuid(text)
    local a, b, c, d, e = text:lower():gsub("^{(.*)}$", "%1"):match(
        "^(%x%x%x%x%x%x%x%x)%-?(%x%x%x%x)%-?(%x%x%x%x)%-?(%x%x%x%x)%-?(%x%x%x%x%x%x%x%x%x%x%x%x)$")
    local uuid = a and table.concat({ a, b, c, d, e }, "-")
    if not uuid or uuid:gsub("[0-]", "") == "" or uuid:gsub("[f-]", "") == "" then
        return nil
    end
    return uuid
end

function host.ip(text)
    local number = 0
    local parts = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
    for i = 1, 4 do
        local part = parts[i]
        if not part or tonumber(part) > 255 or part:find("^0.") then
            return nil
        end
        number = number * 256 + tonumber(part)
    end
    return number
end

function host.subnet(text)
    local address, bits = text:match("^([%d.]+)/?(%d*)$")
    local ip = address and host.ip(address)
    bits = bits == "" and not text:find("/", 1, true) and 32 or tonumber(bits)
    if not ip or not bits or bits > 32 or ip % 2 ^ (32 - bits) ~= 0 then
        return nil
    end
    return ip, 2 ^ 32 - 2 ^ (32 - bits)
end

-- An inventory as the C half gives it, of CSV without quotes, arguments or verdicts, whatever
-- the file is called: tests/unit/test_inventory.c tests the real one.
local Inventory = {}
Inventory.__index = Inventory

function host.inventory(dir, path, _, _, key)
    local text, message, missing = host.read(dir, path)
    if not text then
        return nil, message, missing
    end
    local self = setmetatable({ hosts = {}, vars = {}, profiles = {} }, Inventory)
    for line in text:gmatch "[^\n]+" do
        local cells = {}
        for cell in (line .. ","):gmatch "([^,]*)," do
            cells[#cells + 1] = cell
        end
        if not self.columns then
            self.columns, self.field = cells, key or cells[1]
        else
            local found = { vars = {} }
            for i, column in ipairs(self.columns) do
                found[column], found.vars[column] = cells[i], cells[i] ~= "" and cells[i] or nil
            end
            found.vars[self.field], found.vars.boot = nil, nil
            self.hosts[found[self.field]] = found
            table.insert(self.profiles, found.boot)
        end
    end
    return self
end

function Inventory:key()
    return self.field
end

function Inventory.hash()
    return "hash"
end

function Inventory:profile(i)
    return self.profiles[i], 1, 1
end

function Inventory:var(i)
    return self.columns[i + 1]
end

function Inventory.bootless()
end

function Inventory.sealed()
end

function Inventory:has(value)
    return self.hosts[value] ~= nil
end

function Inventory:find(value)
    local found = self.hosts[value]
    if found then
        return "boot", found.boot, nil, next(found.vars) and found.vars or nil, 1
    end
end

-- An index that finds every rule: tests/unit/test_index.c tests the real one.
local Index = {}
Index.__index = Index

function host.index()
    return setmetatable({}, Index)
end

function Index.field()
    return 0
end

function Index.add()
end

function Index:freeze(n)
    self.n = n
end

local function after(n, i)
    return i < n and i + 1 or nil
end

function Index:first()
    return self.n > 0 and 1 or nil, self.n > 1
end

function Index:candidates()
    return after, self.n, 0
end

-- What the engine logged, for tests to look at.
host.logged = {}

function host.log(level, message)
    table.insert(host.logged, { level = level, message = message })
end

function host.clock()
    return os.clock() * 1e6
end

host.time = os.time

-- Each guard has a deadline of its own here, in instructions.
local DECIDING, LOADING = 5e6, 2e9

local function leave(...)
    debug.sethook()
    return ...
end

-- Throws at every instruction until the guard is left: a policy's pcall cannot outlive it.
local outside = { [leave] = true }

local function stop()
    if not outside[debug.getinfo(2, "f").func] then
        debug.sethook(stop, "", 1)
        error("stopped: it ran for too long", 2)
    end
end

function host.guard(f, ...)
    debug.sethook(stop, "", DECIDING)
    return leave(pcall(f, ...))
end

function host.guard_load(f, ...)
    debug.sethook(stop, "", LOADING)
    return leave(pcall(f, ...))
end

-- Guards that may wait. The time of each stretch is counted by itself here.
local waiter

local function yielded(thread, ok, ...)
    debug.sethook()
    waiter = nil
    if not ok or coroutine.status(thread) == "dead" then
        return ok, ...
    end
    return thread, 0, (...)
end

local function go_on(thread, ...)
    waiter = thread
    debug.sethook(stop, "", DECIDING)
    return yielded(thread, coroutine.resume(thread, ...))
end

function host.guard_open(f, ...)
    return go_on(coroutine.create(f), ...)
end

function host.guard_resume(thread, _, ...)
    return go_on(thread, ...)
end

outside[host.guard], outside[host.guard_load] = true, true
outside[yielded], outside[go_on] = true, true

function host.guard_where(thread)
    for level = 0, 50 do
        local info = debug.getinfo(thread, level, "Sl")
        if info and info.currentline > 0 and not info.source:find "^@lua/" and not info.source:find "^@tests/" then
            return ("%s:%d: "):format(info.source:sub(2), info.currentline)
        end
    end
    return ""
end

function host.may_wait()
    if waiter and waiter == coroutine.running() and not coroutine.isyieldable() then
        return nil
    end
    return waiter ~= nil and waiter == coroutine.running()
end

host.wait = coroutine.yield
host.expired = setmetatable({}, { __metatable = "expired" })

return host
