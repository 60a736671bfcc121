-- Where two texts differ, as people read it: hunks of lines that went and came, and some around.

local lines_diff = {}

local AROUND = 2
-- Of both texts together: the table below has a place for each pair of lines.
local MOST = 2000

local function lines_of(text)
    local lines = {}
    for line in (text .. "\n"):gmatch "(.-)\n" do
        lines[#lines + 1] = line
    end
    if lines[#lines] == "" then
        lines[#lines] = nil
    end
    return lines
end

-- How many lines the rests of both texts have in common, from each pair of lines on.
local function common(old, new)
    local lengths = { [#old + 1] = {} }
    for j = 1, #new + 1 do
        lengths[#old + 1][j] = 0
    end
    for i = #old, 1, -1 do
        local row, below = { [#new + 1] = 0 }, lengths[i + 1]
        for j = #new, 1, -1 do
            row[j] = old[i] == new[j] and below[j + 1] + 1 or math.max(below[j], row[j + 1])
        end
        lengths[i] = row
    end
    return lengths
end

-- Lines with their marks: { mark =, text =, line = (of the first text) }. `whole`: all of both
-- that is neither common beginning nor common end is different.
local function marked(old, new, whole)
    local list, i, j = {}, 1, 1
    local function add(mark, text)
        list[#list + 1] = { mark = mark, text = text, line = i }
    end
    local lengths = not whole and common(old, new)
    while i <= #old or j <= #new do
        if lengths and old[i] == new[j] then
            add("  ", old[i])
            i, j = i + 1, j + 1
        elseif i <= #old and (not lengths or j > #new or lengths[i + 1][j] >= lengths[i][j + 1]) then
            add("- ", old[i])
            i = i + 1
        else
            add("+ ", new[j])
            j = j + 1
        end
    end
    return list
end

local function slice(lines, from, to)
    local part = {}
    for i = from, to do
        part[#part + 1] = lines[i]
    end
    return part
end

-- "-" are the lines of `wanted`, "+" those of `found`; each hunk begins with the number that its
-- first difference has in `wanted`. Of very long texts there is one hunk.
function lines_diff.text(wanted, found)
    local old, new = lines_of(wanted), lines_of(found)
    local first, last = 1, 0
    while first <= #old and first <= #new and old[first] == new[first] do
        first = first + 1
    end
    while last < #old - first + 1 and last < #new - first + 1 and old[#old - last] == new[#new - last] do
        last = last + 1
    end
    if first > #old and first > #new then
        return "(only the end of the last line)"
    end
    local before, behind = math.max(first - AROUND, 1), math.min(last, AROUND)
    local from_old, from_new = slice(old, first, #old - last), slice(new, first, #new - last)
    local list = {}
    for i = before, first - 1 do
        list[#list + 1] = { mark = "  ", text = old[i], line = i }
    end
    for _, each in ipairs(marked(from_old, from_new, #from_old + #from_new > MOST)) do
        each.line = each.line + first - 1
        list[#list + 1] = each
    end
    for i = #old - last + 1, #old - last + behind do
        list[#list + 1] = { mark = "  ", text = old[i], line = i }
    end

    -- Only what is near to a difference is shown.
    local near = {}
    for i, each in ipairs(list) do
        if each.mark ~= "  " then
            for k = i - AROUND, i + AROUND do
                near[k] = true
            end
        end
    end
    local out = {}
    for i, each in ipairs(list) do
        if near[i] and (i == 1 or not near[i - 1]) then
            local at = i
            while list[at].mark == "  " do
                at = at + 1
            end
            out[#out + 1] = ("@@ line %d @@"):format(list[at].line)
        end
        out[#out + 1] = near[i] and each.mark .. each.text or nil
    end
    return table.concat(out, "\n")
end

return lines_diff
