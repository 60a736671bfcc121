-- What two policies decide otherwise, in groups of machines.

local compared = require "cli.compared"
local machine = require "machine"

local changes = {}

-- Compares decisions: `old` and `new` are policies. A collection of groups, empty.
function changes.new(old, new, documents)
    return setmetatable({
        old = compared.decider(old, documents), new = compared.decider(new, documents), groups = {}, seen = {},
        machines = {}, n_machines = 0, decisions = 0, unreadable = 0,
    }, { __index = changes })
end

local function group_of(self, old, new, names)
    local rules = { old.rule and old.rule.name or "", new.rule and new.rule.name or "" }
    local id = table.concat({ old.verdict, new.verdict, table.concat(names, " "), rules[1], rules[2] }, "\1")
    local group = self.groups[id]
    if not group then
        group = { id = id, old = old.verdict, new = new.verdict, changed = names, old_rule = compared.rule(old),
                  new_rule = compared.rule(new), decisions = 0, machines = {}, details = {} }
        self.groups[id] = group
    end
    return group
end

local KEPT = 5 -- machines of a group whose details are kept

local function note(group, name, old, new, names)
    if not group.details[name] then
        group.details[name] = true
        group.machines[#group.machines + 1] = { name = name,
            details = #group.machines < KEPT and compared.details(old, new, names) or nil }
    end
end

local CLEAN_EVERY, GARBAGE_KB = 512, 262144

-- Collects garbage between decisions: within one it would be on the policy's time.
local function clean(self)
    self.turn = (self.turn or 0) + 1
    if self.turn % CLEAN_EVERY ~= 0 then
        return
    elseif self.turn == CLEAN_EVERY then
        collectgarbage "stop"
    end
    if collectgarbage "count" > (self.clean_at or 0) then
        collectgarbage "collect"
        local kept = collectgarbage "count"
        self.clean_at = kept + math.max(kept, GARBAGE_KB)
        collectgarbage "stop"
    end
end

-- One decision: facts that were met before are the same decision again.
function changes.add(self, key, name, fields)
    clean(self)
    local group = self.seen[key]
    if group == nil then
        local values = fields()
        local who = values and machine.new(values, values.stage or "ipxe")
        if not who then
            self.unreadable = self.unreadable + 1
            return
        end
        local old = self.old(who) -- all of it, then the other
        local new = self.new(who)
        group = false
        local names = compared.aspects(old, new)
        if old.verdict ~= new.verdict or #names > 0 then
            group = group_of(self, old, new, names)
            note(group, name, old, new, names)
        end
        self.seen[key] = group
    end
    self.decisions = self.decisions + 1
    if not self.machines[name] then
        self.machines[name] = true
        self.n_machines = self.n_machines + 1
    end
    if group then
        group.decisions = group.decisions + 1
    end
end

-- What another process is told of it.
function changes.result(self, skipped)
    local list = {}
    for _, group in pairs(self.groups) do
        group.details = nil
        list[#list + 1] = group
    end
    return { groups = list, machines = self.n_machines, decisions = self.decisions,
             skipped = skipped + self.unreadable }
end

-- Several processes' results as one; no machine is in two of them. The largest groups come first.
function changes.merge(results)
    local all = { groups = {}, machines = 0, decisions = 0, skipped = 0, differ = 0 }
    local by_id, differing = {}, {}
    for _, result in ipairs(results) do
        for _, name in ipairs { "machines", "decisions", "skipped" } do
            all[name] = all[name] + result[name]
        end
        for _, group in ipairs(result.groups) do
            local into = by_id[group.id]
            if not into then
                by_id[group.id] = group
                all.groups[#all.groups + 1] = group
            else
                into.decisions = into.decisions + group.decisions
                for _, each in ipairs(group.machines) do
                    into.machines[#into.machines + 1] = each
                end
            end
            for _, each in ipairs(group.machines) do
                all.differ = all.differ + (differing[each.name] and 0 or 1)
                differing[each.name] = true
            end
        end
    end
    for _, group in ipairs(all.groups) do
        table.sort(group.machines, function(a, b)
            if (a.details ~= nil) ~= (b.details ~= nil) then
                return a.details ~= nil
            end
            return a.name < b.name
        end)
    end
    table.sort(all.groups, function(a, b)
        if #a.machines ~= #b.machines then
            return #a.machines > #b.machines
        end
        return a.id < b.id
    end)
    return all
end

return changes
