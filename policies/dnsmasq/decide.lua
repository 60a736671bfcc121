-- Decides for one machine as dnsmasq does: which tags it has, and what these lead to.
--
-- `facts` are the machine's fields that are known when it asks by DHCP, by name, and
-- `ipxe` = true for one that sends option 175.

local directives = require "moonboot.dnsmasq.directives"
local tags = require "moonboot.dnsmasq.tags"

local decide = {}

local function same_bytes(wanted, mac)
  local i = 0
  for byte in mac:gmatch("%x%x") do
    i = i + 1
    if wanted[i] and wanted[i] ~= byte then
      return false
    end
  end
  return true
end

-- iPXE's features by their numbers in option 175, which sites match on.
local features = {
  [16] = "pxe-ext", [17] = "iscsi", [18] = "aoe", [19] = "http", [20] = "https", [21] = "tftp",
  [22] = "ftp", [23] = "dns", [24] = "bzimage", [25] = "multiboot", [26] = "slam", [27] = "srp",
  [32] = "nbi", [33] = "pxe", [34] = "elf", [35] = "comboot", [36] = "efi", [37] = "fcoe",
  [38] = "vlan", [39] = "menu", [40] = "sdi", [41] = "nfs",
}

local function matches_number(match, wanted, fact)
  if match.bytewise and wanted and wanted < 256 then
    return wanted == fact % 256 or wanted == math.floor(fact / 256)
  end
  return wanted == fact
end

-- Does a fact match? Text is looked for anywhere in it, of numbers any is enough.
local function matches(match, facts)
  local fact = facts[match.fact]
  if fact == nil then
    return false
  elseif match.exact then
    return fact == match.exact
  elseif #match.values == 0 then
    return true
  end
  for _, value in ipairs(match.values) do
    if match.fact == "arch_id" and matches_number(match, tonumber(value), fact) then
      return true
    elseif match.fact == "ipxe" and (facts.features or {})[features[tonumber(value)] or ""] then
      return true
    elseif type(fact) == "string" and fact:find(value, 1, true) then
      return true
    end
  end
  return false
end

-- The first of these hosts whose own tags are as they want them; `tagged`: one that wants any.
local function usable(hosts, set, tagged)
  for _, host in ipairs(hosts or {}) do
    if tagged == (#host.wanted > 0) and tags.match(set, host.wanted, true) then
      return host
    end
  end
end

-- The host with the fewest wildcards that its address agrees with.
local function by_wildcards(site, facts, set, tagged)
  local best
  for _, entry in ipairs(site.wild) do
    if (not best or entry.wild < best.wild) and same_bytes(entry.bytes, facts.mac)
      and usable({ entry.host }, set, tagged) then
      best = entry
    end
  end
  return best and best.host
end

-- The dhcp-host of a machine: by its address, whole before wildcards, else by the name that it
-- gives; among each, those that want tags come first.
local function host_of(site, facts, set)
  for _, tagged in ipairs { true, false } do
    local host = facts.mac
      and (usable(site.by_mac[facts.mac], set, tagged) or by_wildcards(site, facts, set, tagged))
    if host then
      return host
    end
  end
  local named = site.by_name[facts.hostname or ""]
  return usable(named, set, true) or usable(named, set, false)
end

local function in_network(range, address)
  local mask = directives.address(range.mask)
  return bit.band(directives.address(range.start), mask) == bit.band(directives.address(address), mask)
end

-- The ranges that a machine is in. Which one a machine without a relay is in follows from
-- dnsmasq's own addresses: with several ranges nobody knows, and they may be all.
local function ranges_of(site, facts, set)
  local found = {}
  for _, range in ipairs(site.ranges) do
    if (not facts.relay or in_network(range, facts.relay)) and tags.match(set, range.wanted, true) then
      found[#found + 1] = range
    end
  end
  return found
end

-- The machine's tags as a set; nil when it is to be ignored.
local function tags_of(site, facts)
  local set = {}
  if facts.interface then
    set[facts.interface] = true
  end
  for _, mac in ipairs(site.macs) do
    if facts.mac and same_bytes(mac.bytes, facts.mac) then
      set[mac.tag] = true
    end
  end
  for _, match in ipairs(site.matches) do
    if matches(match, facts) then
      set[match.tag] = true
    end
  end
  local conditional = tags.add_conditional(set, site.tag_ifs)
  local host = host_of(site, facts, conditional)
  for _, name in ipairs(site.names) do
    local own = facts.hostname
    if own and (own == name.name or name.wild and own:sub(1, #name.name) == name.name) then
      set[name.tag] = true
    end
  end
  if host then
    set.known = true
    for _, tag in ipairs(host.set) do
      set[tag] = true
    end
  end
  conditional = tags.add_conditional(set, site.tag_ifs)
  for _, wanted in ipairs(site.ignores) do
    if tags.match(conditional, wanted, false) then
      return nil
    end
  end
  local ranges = ranges_of(site, facts, conditional)
  if #site.ranges > 0 and #ranges == 0 or host and host.ignore and not site.proxy then
    return nil
  end
  if ranges[1] and (#ranges == 1 or facts.relay) then
    for _, tag in ipairs(ranges[1].set) do
      set[tag] = true
    end
  end
  return tags.add_conditional(set, site.tag_ifs)
end

-- The first of a list whose tags are all set, else the first that wants none.
local function find(entries, set)
  for _, entry in ipairs(entries) do
    if tags.match(set, entry.wanted, false) then
      return entry
    end
  end
  for _, entry in ipairs(entries) do
    if #entry.wanted == 0 then
      return entry
    end
  end
end

local function menu_of(site, facts, set)
  local menu = {}
  for _, service in ipairs(site.services) do
    if service.arch == facts.arch_id and tags.match(set, service.wanted, true) then
      menu[#menu + 1] = { service.text, file = service.file, server = service.server, type = service.type }
    end
  end
  for _, prompt in ipairs(site.prompts) do
    if tags.match(set, prompt.wanted, true) then
      menu.prompt, menu.timeout = prompt.text, prompt.timeout or 255
      break
    end
  end
  return #menu > 0 and menu or nil
end

-- What dnsmasq would answer, as a profile's `dhcp`; nil: nothing.
function decide.answer(site, facts)
  local proxies = #site.services > 0 or #site.prompts > 0
  if site.proxy and (facts.firmware == "http" or not proxies) then
    return nil -- dnsmasq's proxy answers PXEClient alone, and only when it has one of these
  end
  local set = tags_of(site, facts)
  if not set then
    return nil
  end
  local boot = find(site.boots, set) or {}
  local answer = {
    file = boot.file, server = boot.server, options = {}, ipxe = true,
    menu = facts.firmware ~= "http" and menu_of(site, facts, set) or nil,
  }
  if not answer.file and not answer.menu then
    return nil
  end
  for _, option in ipairs(site.proxy and {} or site.options) do -- a proxy sends none
    if not answer.options[option.code] and tags.match(set, option.wanted, true) then
      answer.options[option.code] = option.value
    end
  end
  return answer
end

return decide
