-- Where state is kept between decisions: keys, texts, versions. What a policy writes is in state.lua.
--
-- A store has
--   get(store, key)      -> text, version | nil: there is none. Throws when the store fails.
--   list(store, prefix)  -> list of { key =, text =, version =, ends = when its time is over, if it has one }
--     by key. Throws likewise.
--   page(store, prefix, after) -> the same of some, by key, those behind `after` (nil: from the first
--     on), and the last one's key when there may be more
--   write_all(store, changes) -> list of what `write` would return for each, { value, problem }
--   write(store, change) -> version | false: another came first | nil, why not
--     change: key, text (nil: delete), ttl (seconds; nil: it stays), version (nil: whatever there
--     is; 0: only if there is none; else: only that one). Deleting gives version 0.
-- and `lasts`, true, when it is more than this process's memory.
--
-- Reading is at once where the store is on this host; elsewhere it waits, like writing. In functions
-- that cannot wait, like those of `match`, it goes as store.guard says.

local waits = require "waits"

local host = host

local store = {}

-- Bounds, of whoever keeps it.
store.KEY_MAX, store.TEXT_MAX = 400, 65536

-- What is wrong with a change, whatever the store; nil when nothing is.
function store.problem(change)
    if #change.key > store.KEY_MAX then
        return string.format("the key has %d bytes, and %d are the most", #change.key, store.KEY_MAX)
    elseif change.text and #change.text > store.TEXT_MAX then
        return string.format("the value takes %d bytes, and %d are the most", #change.text, store.TEXT_MAX)
    end
end

local Memory = {}
Memory.__index = Memory

-- A store for offline runners: a table, its time that of `now` (seconds). A decision offline is
-- one after the other, so that it never waits.
function store.memory(now)
    return setmetatable({ entries = {}, versions = 0, now = now or host.time }, Memory)
end

local function live(self, key)
    local entry = self.entries[key]
    if entry and entry.ends and entry.ends <= self.now() then
        self.entries[key] = nil
        return nil
    end
    return entry
end

function Memory:get(key)
    local entry = live(self, key)
    if entry then
        return entry.text, entry.version
    end
end

function Memory:list(prefix)
    local found = {}
    for key in pairs(self.entries) do
        local entry = key:sub(1, #prefix) == prefix and live(self, key)
        if entry then
            found[#found + 1] = { key = key, text = entry.text, version = entry.version, ends = entry.ends }
        end
    end
    table.sort(found, function(a, b)
        return a.key < b.key
    end)
    return found
end

local PAGE = 256 -- as the core gives it (core/api_store.c)

function Memory:page(prefix, after)
    local page = {}
    for _, entry in ipairs(self:list(prefix)) do
        if not after or entry.key > after then
            page[#page + 1] = entry
        end
        if #page == PAGE then
            return page, entry.key
        end
    end
    return page
end

local function write_each(self, changes)
    local results = {}
    for i, change in ipairs(changes) do
        results[i] = { self:write(change) }
    end
    return results
end

Memory.write_all = write_each

function Memory:write(change)
    local problem = store.problem(change)
    if problem then
        return nil, problem
    end
    local entry = live(self, change.key)
    if change.version and change.version ~= (entry and entry.version or 0) then
        return false
    elseif not change.text then
        self.entries[change.key] = nil
        return 0
    end
    self.versions = self.versions + 1
    self.entries[change.key] = {
        text = change.text, version = self.versions, ends = change.ttl and self.now() + change.ttl,
    }
    return self.versions
end

local Live = { lasts = true }
Live.__index = Live

-- What a guarded function has read, by what it asked, and what it wants to read; nil outside.
local known, wanted

local MOST_READS = 64

local NOTHING = {}

-- Asks where there is nobody to ask for it but the store's own wait -> its answer.
local function ask(wait)
    local value, more = waits.fetch(wait)
    if value == nil then
        error("the state cannot be read: " .. tostring(more), 0)
    end
    return value, more
end

-- The answer to a wait, wherever the caller is.
local function fetch(wait)
    if not known then
        return ask(wait)
    end
    local name = (wait.get and "g" or "l") .. (wait.get or wait.list) .. "\0" .. (wait.after or "")
    local answer = known[name]
    if not answer then
        wanted = wanted or { name = name, wait = wait }
        error("the state is not at hand", 0)
    end
    return answer.value, answer.more
end

-- As host.guard, for functions that decide at once. What they want to read of a store that is
-- elsewhere is asked for once they have ended for want of it, and they begin anew: deciding has no
-- side effects. `prepare` is called before each time.
function store.guard(prepare, f, ...)
    local read, n = NOTHING, 0
    while true do
        prepare()
        known, wanted = read, nil
        local ok, value = host.guard(f, ...)
        local want = wanted
        known, wanted = nil, nil
        if not want then
            return ok, value
        elseif n == MOST_READS then
            return false, "the state: more is read than can be asked for here"
        end
        read, n = n == 0 and {} or read, n + 1
        local good, found, more = pcall(ask, want.wait)
        if not good then
            return false, found
        end
        read[want.name] = { value = found, more = more }
    end
end

function Live.get(_, key)
    local text, version = host.store.get(key)
    if text == false then
        text, version = fetch { kind = "state", get = key }
    end
    if text then
        return text, version
    end
end

local function page_of(prefix, after)
    local page, last = host.store.list(prefix, after)
    if page then
        return page, last
    end
    return fetch { kind = "state", list = prefix, after = after }
end

function Live.list(_, prefix)
    local all, after = {}, nil
    repeat
        local page
        page, after = page_of(prefix, after)
        for _, entry in ipairs(page) do
            all[#all + 1] = entry
        end
    until not after
    return all
end

function Live.page(_, prefix, after)
    return page_of(prefix, after)
end

local function wait_of(change)
    return { kind = "state", key = change.key, text = change.text, ttl = change.ttl, version = change.version }
end

function Live.write(_, change)
    local problem = store.problem(change)
    if problem then
        return nil, problem
    end
    return waits.ask("state", wait_of(change))
end

-- All at once, so that they are one commit.
function Live:write_all(changes)
    local list = {}
    for i, change in ipairs(changes) do
        if store.problem(change) then
            return write_each(self, changes)
        end
        list[i] = wait_of(change)
    end
    if #list == 0 then
        return {}
    end
    local answers, problem = waits.ask("state", { kind = "all", waits = list })
    for i = 1, #list do
        list[i] = answers and answers[i] or { nil, problem }
    end
    return list
end

-- Gives a policy the store that C keeps, for all workers.
function store.attach(policy)
    policy.state.store = setmetatable({}, Live)
end

return store
