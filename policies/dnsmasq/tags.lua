-- Tags: sets of names, and what is asked of them. A list of wanted tags may say "!tag" (or
-- "#tag", as it was once written): not set.

local tags = {}

local function wild(set, name)
  local start = name:match("^(.*)%*$")
  if not start then
    return set[name] == true
  end
  for each in pairs(set) do
    if each:sub(1, #start) == start then
      return true
    end
  end
  return false
end

-- Is everything in `set` as the list wants it? An empty list: `none`.
function tags.match(set, wanted, none)
  if #wanted == 0 then
    return none
  end
  for _, tag in ipairs(wanted) do
    local negated = tag:find("^[!#]") ~= nil
    if (set[negated and tag:sub(2) or tag] == true) == negated then
      return false
    end
  end
  return true
end

-- The set with what the tag-if lines add, in their order; these alone know "tag*".
function tags.add_conditional(set, tag_ifs)
  local result = {}
  for tag in pairs(set) do
    result[tag] = true
  end
  for _, line in ipairs(tag_ifs) do
    local all = true
    for _, tag in ipairs(line.wanted) do
      local negated = tag:find("^[!#]") ~= nil
      all = all and wild(result, negated and tag:sub(2) or tag) ~= negated
    end
    if all then
      for _, tag in ipairs(line.set) do
        result[tag] = true
      end
    end
  end
  return result
end

return tags
