-- The stages of a boot, as they are seen: what each machine was offered, which script, kernel and
-- documents it has fetched, for its record (timeline.lua) and for `on("boot:kernel", …)`.
--
-- Deciding has no side effects: a reply leaves a note in memory (`see`), and some milliseconds later
-- C has what has gathered written down (`settle`), as one commit.

local events = require "events"
local json = require "json"
local machine = require "machine"
local timeline = require "timeline"
local waits = require "waits"

local host = host

local stages = {}

local MOST_NOTES = 4096      -- that wait to be written; more are dropped
local BATCH = 32             -- that are written at once
local MOST_ATTEMPTS = 10
local MOST_MACHINES = 20000  -- of which only stages are known: anybody can make up addresses
local NEW_BETWEEN = 2000     -- machines that are new between two counts
local RECOUNT = 60           -- seconds from one count to the next
local CLIENTS = "client/"    -- which machine has an address
local CLIENT_KEPT = 3600     -- seconds
local RECENT = 5             -- seconds in which a stage is noted once

-- How a decision reaches a machine.
local SCRIPTS = { ipxe = true, grub = true, pxelinux = true, pixiecore = true }

-- From here on stages are seen, in this process. `wake` is called when there is something to settle.
function stages.attach(policy, wake)
    policy.stage_handlers = {}
    for _, handler in ipairs(policy.handlers) do
        policy.stage_handlers[handler.event] = timeline.stages[handler.event]
    end
    policy.seen = { notes = {}, first = 1, last = 0, wake = wake, taken = 0, created = 0, dropped = 0, recount = 0,
                    recent = {}, n_recent = 0, recent_until = 0 }
end

-- Firmware asks again and again: what has just been noted is not noted once more.
local function is_recent(seen, note)
    if note.time >= seen.recent_until or seen.n_recent >= MOST_NOTES then
        seen.recent, seen.n_recent, seen.recent_until = {}, 0, note.time + RECENT
    end
    local key = table.concat({ note.mac or note.uuid or note.serial or note.client or "", note.name, note.what }, " ")
    if seen.recent[key] then
        return true
    end
    seen.recent[key], seen.n_recent = true, seen.n_recent + 1
    return false
end

local function add(seen, note)
    if is_recent(seen, note) then
        return
    elseif seen.last - seen.first + 1 >= MOST_NOTES then
        seen.dropped = seen.dropped + 1
        return
    end
    seen.last = seen.last + 1
    seen.notes[seen.last] = note
    if seen.last == seen.first then
        seen.wake()
    end
end

local function note_of(request, who, name, what)
    return { name = name, time = host.time(), mac = who.mac or nil, uuid = who.uuid or nil,
             serial = who.serial or nil, client = request.client, what = what }
end

-- "boot el9", "deny": a reason or a URL may hold what is not for everybody who may read records.
local function verdict_of(info)
    return info.verdict:match "^boot .*" or info.verdict:match "^%a+"
end

-- The kernel of a decision, if it is one of our files, as requests name it.
local function own_kernel(name)
    if not name or name:find "^%a[%w+.-]*:" then
        return nil
    elseif name:sub(1, 1) == "/" then
        return name:match "^/assets/(.+)$"
    end
    return name
end

-- A reply is about to go out. This is on everybody's way: it only takes notes.
function stages.see(seen, request, reply, info)
    if reply.dhcp then
        if info and info.who then
            add(seen, note_of(request, info.who, "boot:offered", verdict_of(info)))
        end
    elseif reply.path then
        if reply.root == "assets" and request.client and request.method ~= "POST" then
            add(seen, { name = "boot:kernel", time = host.time(), client = request.client, what = reply.path })
        end
    elseif info and info.who and reply.status == 200 then
        if SCRIPTS[info.stage] then
            local note = note_of(request, info.who, "boot:script", verdict_of(info))
            note.kernel, note.told = own_kernel(info.kernel), true
            add(seen, note)
        elseif info.stage == "config" then
            add(seen, note_of(request, info.who, "boot:document", info.verdict:match "^document (.*)$"))
        end
    end
end

local function take(seen)
    local batch = {}
    while seen.first <= seen.last and #batch < BATCH do
        batch[#batch + 1] = seen.notes[seen.first]
        seen.notes[seen.first] = nil
        seen.first = seen.first + 1
    end
    return batch
end

-- Counts machines a page at a time, now and then.
local function count(seen, store)
    local now = host.time()
    if not seen.counting then
        if now < seen.recount then
            return
        end
        seen.counting = { n = 0 }
    end
    local page, after = timeline.page(store, seen.counting.after)
    seen.counting.n, seen.counting.after = seen.counting.n + #page, after
    if not after then
        seen.machines, seen.created = seen.counting.n, 0
        seen.counting, seen.recount = nil, now + RECOUNT
    end
end

local function may_create(seen)
    if (seen.machines or 0) + seen.created >= MOST_MACHINES or seen.created >= NEW_BETWEEN then
        return false
    end
    seen.created = seen.created + 1
    return true
end

-- The record of a key as this batch has it, read when it is first asked for; false: there is to be none.
local function record_of(work, key, create)
    local known = work.records[key]
    if known == nil then
        local text, version = work.store:get(key)
        known = (text or create and may_create(work.seen)) and
                { record = timeline.read(text), version = version, key = key, new = {} } or false
        work.records[key] = known
    end
    return known
end

-- Whose kernel this is: that of the machine which was last told a script at that address.
local function note_kernel(work, note)
    local text = not work.clients[note.client] and work.store:get(CLIENTS .. note.client)
    local key = work.clients[note.client] or text and json.decode(text)
    local known = key and record_of(work, key, false)
    if known and known.record.kernel == note.what then
        return known
    end
end

local function note_machine(work, note)
    local key = timeline.key(note)
    local known = key and record_of(work, key, true)
    if known and note.told then
        known.record.kernel, known.record.client = note.kernel, note.client
        if note.client then
            work.clients[note.client] = key
        end
    end
    return known
end

-- Puts notes into the records that they belong to.
local function gather(work, notes)
    for _, note in ipairs(notes) do
        local known
        if note.name == "boot:kernel" then
            known = note_kernel(work, note)
        else
            known = note_machine(work, note)
        end
        if known then
            note.from = "boot"
            local record = known.record
            local who = { mac = note.mac or record.mac, uuid = note.uuid or record.uuid,
                          serial = note.serial or record.serial }
            known.changed = true
            known.notes = known.notes or {}
            table.insert(known.notes, note)
            if timeline.add(record, who, note) then
                table.insert(known.new, note)
            end
        end
    end
end

local function changes_of(work)
    local list, keys = {}, {}
    for key, known in pairs(work.records) do
        if known and known.changed then
            list[#list + 1], keys[#list + 1] = timeline.change(key, known.record, known.version), key
        end
    end
    for client, key in pairs(work.clients) do
        local text = json.quote(key)
        if work.store:get(CLIENTS .. client) ~= text then
            list[#list + 1] = { key = CLIENTS .. client, text = text, ttl = CLIENT_KEPT }
        end
    end
    return list, keys
end

-- Writes notes down -> list of { record =, note = }, those that are new; nil, problem. Those that
-- others wrote in between are tried again.
local function write(seen, store, notes)
    local new = {}
    for _ = 1, MOST_ATTEMPTS do
        local work = { seen = seen, store = store, records = {}, clients = {} }
        gather(work, notes)
        local changes, keys = changes_of(work)
        local results = store:write_all(changes)
        notes = {}
        for i, key in ipairs(keys) do
            local known, result = work.records[key], results[i]
            if result[1] == nil then
                return nil, result[2]
            end
            for _, note in ipairs(result[1] and known.new or {}) do
                new[#new + 1] = { record = known.record, note = note }
            end
            for _, note in ipairs(not result[1] and known.notes or {}) do
                notes[#notes + 1] = note
            end
        end
        if #notes == 0 then
            return new
        end
    end
    return new
end

local function tell(policy, each)
    local record, note = each.record, each.note
    local m = machine.new({ mac = record.mac, uuid = record.uuid, serial = record.serial }, "ipxe")
    if m then
        m.base, m.client = policy.base, note.client
        return events.call(policy, m, { name = note.name, time = note.time, client = note.client,
                                        params = { what = note.what } })
    end
    return true
end

-- Writes down some of what has been seen, and calls the handlers -> whether there is more; and what went
-- wrong first. May wait.
function stages.settle(policy)
    local seen, store = policy.seen, policy.state.store
    local ok, new, problem = waits.guard(function()
        count(seen, store)
        local batch = take(seen)
        seen.taken = #batch
        return write(seen, store, batch)
    end)
    seen.taken = 0
    if not ok then
        new, problem = nil, new
    end
    for _, each in ipairs(new or {}) do
        if policy.stage_handlers[each.note.name] then
            local called, why = tell(policy, each)
            problem = problem or not called and why or nil
        end
    end
    local dropped = seen.dropped
    seen.dropped = 0
    return seen.last >= seen.first, problem, dropped
end

return stages
