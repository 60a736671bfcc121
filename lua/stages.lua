-- The stages of a boot, as they are seen: what each machine was offered, which script, kernel and
-- documents it has fetched, for its record (timeline.lua) and for `on("boot:kernel", …)`.
--
-- Deciding has no side effects: a reply leaves a note in memory (`see`), and some milliseconds later
-- C has what has gathered written down (`settle`), as one commit.

local due = require "due"
local json = require "json"
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
    policy.seen = { notes = {}, first = 1, last = 0, due = {}, wake = wake, writing = 0, created = 0, dropped = 0,
                    recount = 0, recent = {}, n_recent = 0, recent_until = 0 }
end

-- Firmware asks again and again: what has just been noted is not noted once more.
local function is_recent(seen, note)
    if note.time >= seen.recent_until or seen.n_recent >= MOST_NOTES then
        seen.recent, seen.n_recent, seen.recent_until = {}, 0, note.time + RECENT
    end
    local who = note.mac or note.uuid or note.serial or ""
    local key = table.concat({ who, note.client or "", note.name, note.what }, " ")
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

-- Counts machines of which only stages are known, a page at a time, now and then: those that are forgotten.
local function count(seen, store)
    local now = host.time()
    if not seen.counting then
        if now < seen.recount then
            return
        end
        seen.counting = { n = 0 }
    end
    local page, after = timeline.page(store, seen.counting.after)
    for _, entry in ipairs(page) do
        seen.counting.n = seen.counting.n + (entry.ends and 1 or 0)
    end
    seen.counting.after = after
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
        if not text and not create then
            return false -- of this note alone: the next of this machine may have one made
        end
        known = (text or may_create(work.seen)) and
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
            work.refused = work.refused + (known == false and 1 or 0)
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

-- Writes notes down; of those that are new, those with handlers are due -> how many were not written, and
-- what went wrong first. Those that others wrote in between are tried again.
local function write(policy, notes)
    local seen, store, lost, first = policy.seen, policy.state.store, 0, nil
    for _ = 1, MOST_ATTEMPTS do
        local work = { seen = seen, store = store, records = {}, clients = {}, refused = 0 }
        gather(work, notes)
        local changes, keys = changes_of(work)
        local results = store:write_all(changes)
        lost, notes = lost + work.refused, {}
        for i, key in ipairs(keys) do
            local known, written, problem = work.records[key], results[i][1], results[i][2]
            if written == nil then
                lost, first = lost + #known.notes, first or problem
            end
            for _, note in ipairs(written and known.new or {}) do
                if policy.stage_handlers[note.name] then
                    table.insert(seen.due, { record = known.record, note = note })
                end
            end
            for _, note in ipairs(written == false and known.notes or {}) do
                notes[#notes + 1] = note
            end
        end
        if #notes == 0 then
            break
        end
    end
    return lost + #notes, first
end

local function write_some(policy)
    local seen = policy.seen
    local batch = take(seen)
    seen.writing = #batch
    local ok, lost, problem = waits.guard(function()
        count(seen, policy.state.store)
        return write(policy, batch)
    end)
    seen.dropped, seen.writing = seen.dropped + (ok and lost or #batch), 0
    return problem or not ok and lost or nil
end

-- Writes down some of what has been seen, or calls handlers, by turns -> whether there is more; what went
-- wrong; how many found no room; and with whose handler it went wrong. May wait.
function stages.settle(policy)
    local seen, began, problem, who = policy.seen, host.time(), nil, nil
    seen.dropped = seen.dropped + (seen.writing or 0) -- of one that was ended from outside
    seen.writing = 0
    if not seen.due[1] or not due.is_full(seen.due) and not seen.wrote and seen.first <= seen.last then
        seen.wrote = true
        problem = write_some(policy)
    else
        seen.wrote = false
    end
    if not problem then
        problem, who = due.call(policy, seen.due, began)
    end
    local dropped = seen.dropped
    seen.dropped = 0
    return seen.last >= seen.first or seen.due[1] ~= nil, problem, dropped, who
end

return stages
