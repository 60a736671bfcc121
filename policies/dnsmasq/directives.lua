-- What the directives of a dnsmasq.conf say about network boot, as one table: what `decide.lua`
-- needs to decide as dnsmasq does. A directive that has nothing to do with it is passed over; one
-- that has, and that moonboot cannot follow, is a problem at its line.

local directives = {}

-- The fields in front that begin with one of these, without it: `tag:a,tag:b,rest`.
local function take(fields, ...)
  local taken = {}
  while fields[1] do
    local prefix, name = fields[1]:match("^(%l+:)(.+)$")
    local wanted = false
    for i = 1, select("#", ...) do
      wanted = wanted or prefix == (select(i, ...))
    end
    if not wanted then
      break
    end
    table.insert(taken, name)
    table.remove(fields, 1)
  end
  return taken
end

-- The tag that a directive sets, its first field; "set:" may be missing.
local function set_tag(fields)
  local tag = table.remove(fields, 1) or ""
  return tag:match("^set:(.+)$") or tag:match("^net:(.+)$") or tag ~= "" and tag or nil
end

local function is_address(text)
  local a, b, c, d = (text or ""):match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  for _, part in ipairs { a or 256, b, c, d } do
    if tonumber(part) > 255 then
      return false
    end
  end
  return true
end

-- "10.0.0.1" as a number.
function directives.address(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return ((a * 256 + b) * 256 + c) * 256 + d
end

-- A server that has to be an address: dnsmasq looks names up in its hosts file.
local function server(text)
  if text == nil or text == "" or text == "0.0.0.0" then
    return nil
  elseif not is_address(text) then
    return nil, ('the server "%s" is a name: write its address'):format(text)
  end
  return text
end

-- "52:54:*:*:*:*" -> { "52", "54", false, … } | nil, for what is no hardware address.
local function hardware(text)
  local bytes, wild = {}, 0
  text = text:lower():gsub("^%x%x?%-", "") -- the type of network: Ethernet, for firmware
  for part in (text .. ":"):gmatch("([^:]*):") do
    if part == "*" then
      bytes[#bytes + 1], wild = false, wild + 1
    elseif part:find("^%x%x?$") then
      bytes[#bytes + 1] = ("%02x"):format(tonumber(part, 16))
    else
      return nil
    end
  end
  return #bytes == 6 and bytes or nil, wild
end

-- Colon-separated hexadecimal, or text as it stands.
local function bytes(text)
  if text:find("^%x%x?:[%x:]*$") then
    return (text:gsub("(%x+):?", function(byte)
      return string.char(tonumber(byte, 16) % 256)
    end))
  end
  return text
end

--- One function a directive: it adds to `site`, or returns nil, what is wrong ---------------

local words = {}

local option_names = {
  ["hostname"] = 12, ["vendor-class"] = 60, ["user-class"] = 77, ["client-arch"] = 93,
  ["client-interface-id"] = 94, ["client-machine-id"] = 97, ["server-ip-address"] = 66,
  ["tftp-server"] = 66, ["bootfile-name"] = 67, ["client-id"] = 61,
}

-- Client options that a machine's fields tell.
local matchable = { [12] = "hostname", [60] = "vendor_class", [77] = "user_class", [93] = "arch_id", [175] = "ipxe" }

words["dhcp-match"] = function(site, fields)
  local found = { values = {} }
  while fields[1] do
    local field = table.remove(fields, 1)
    local name = field:match("^option:(.+)$")
    if name or field:find("^%d+$") then
      found.option = name and option_names[name] or tonumber(field)
      found.bytewise = not name -- dnsmasq does not know that 93 is a list of 16-bit numbers
      break
    elseif field:find("^vi%-encap:") or field:find("^encap:") or field:find("^vendor:") then
      return nil, ('cannot follow "%s"'):format(field)
    elseif not field:find("^option6:") then
      found.tag = field:match("^%l%l%l:(.+)$") or field
    else
      return true -- DHCPv6
    end
  end
  local fact = matchable[found.option or 0]
  if not found.tag then
    return nil, "sets no tag"
  elseif not fact then
    return nil, ("cannot follow a match on %s: moonboot is told options 12, 60, 77, 93 and 175"):format(
      found.option and "option " .. found.option or "this option")
  end
  for i, value in ipairs(fields) do
    found.values[i] = value
  end
  found.fact = fact
  table.insert(site.matches, found)
  return true
end

local function class(fact)
  return function(site, fields)
    local tag = set_tag(fields)
    if fields[1] and fields[1]:find("^enterprise:") then
      return true -- DHCPv6
    end
    local text = table.concat(fields, ",")
    if not tag or text == "" then
      return nil, "wants a tag and a text"
    end
    table.insert(site.matches, { tag = tag, fact = fact, values = { text }, text = true })
    return true
  end
end

words["dhcp-vendorclass"] = class "vendor_class"
words["dhcp-userclass"] = class "user_class"

local function relayed(fact)
  return function(site, fields)
    local tag = set_tag(fields)
    local text = table.concat(fields, ",")
    if not tag or text == "" then
      return nil, "wants a tag and a value"
    end
    -- The machine's fields have no padding, and so no bytes at their end that could be some.
    table.insert(site.matches, { tag = tag, fact = fact, exact = (bytes(text):gsub("[%z\1-\32]+$", "")) })
    return true
  end
end

words["dhcp-circuitid"] = relayed "circuit_id"
words["dhcp-remoteid"] = relayed "remote_id"

words["dhcp-name-match"] = function(site, fields)
  local tag = set_tag(fields)
  local name = fields[1] or ""
  if not tag or name == "" then
    return nil, "wants a tag and a name"
  end
  table.insert(site.names, { tag = tag, name = name:lower():gsub("%*$", ""), wild = name:find("%*$") ~= nil })
  return true
end

words["dhcp-mac"] = function(site, fields)
  local tag = set_tag(fields)
  local mac = fields[1] and hardware(fields[1])
  if not tag or not mac then
    return nil, "wants a tag and a hardware address, such as 52:54:00:*:*:*"
  end
  table.insert(site.macs, { tag = tag, bytes = mac })
  return true
end

-- Adds in front: of several the last one in the file counts.
local function add_first(lists, key, value)
  lists[key] = lists[key] or {}
  table.insert(lists[key], 1, value)
end

words["dhcp-host"] = function(site, fields)
  local host = { set = {}, wanted = {} }
  local macs, id, own_name = {}, nil, nil
  for _, field in ipairs(fields) do
    local prefix, rest = field:match("^(%l+:)(.+)$")
    if hardware(field) then
      table.insert(macs, field)
    elseif prefix == "set:" or prefix == "net:" then
      table.insert(host.set, rest)
    elseif prefix == "tag:" then
      table.insert(host.wanted, rest)
    elseif prefix == "id:" then
      id = rest ~= "*" and rest or nil
    elseif field == "ignore" then
      host.ignore = true
    elseif not field:find("^[%[%d]") and field ~= "infinite" and field ~= "" then
      own_name = field:lower():match("^[^.]+")
    end
  end
  for _, mac in ipairs(macs) do
    local each, wild = hardware(mac)
    if wild == 0 then
      add_first(site.by_mac, table.concat(each, ":"), host)
    else
      table.insert(site.wild, 1, { bytes = each, wild = wild, host = host })
    end
  end
  if #macs == 0 and id and (#host.set > 0 or host.ignore) then
    return nil, "knows its machine by a client identifier, which moonboot is not told: add the hardware address"
  elseif #macs == 0 and not id and own_name then
    add_first(site.by_name, own_name, host)
  end
  return true
end

words["dhcp-boot"] = function(site, fields)
  local boot = { wanted = take(fields, "tag:", "net:") }
  local problem_text
  boot.file = fields[1] ~= "" and fields[1] or nil
  boot.server, problem_text = server(fields[3])
  table.insert(site.boots, 1, boot) -- the last one counts
  return not problem_text or nil, problem_text
end

local systems = {
  "x86pc", "pc98", "ia64_efi", "alpha", "arc_x86", "intel_lean_client", "ia32_efi", "x86-64_efi",
  "xscale_efi", "bc_efi", "arm32_efi", "arm64_efi",
}
local system_number = {}
for i, name in ipairs(systems) do
  system_number[name] = i - 1
end

words["pxe-service"] = function(site, fields)
  local service = { wanted = take(fields, "tag:", "net:") }
  service.arch = system_number[(fields[1] or ""):lower()] or tonumber(fields[1])
  service.text = fields[2]
  if not service.arch then
    return nil, ('there is no client system "%s"; there are x86PC, x86-64_EFI, …, and numbers'):format(fields[1] or "")
  elseif not service.text then
    return nil, "has no menu text"
  end
  service.type = tonumber(fields[3]) or not fields[3] and 0
  if not service.type then
    service.file = fields[3]
    service.type = site.next_type
    site.next_type = site.next_type + 1
  end
  local problem_text
  service.server, problem_text = server(fields[4])
  table.insert(site.services, service)
  return not problem_text or nil, problem_text
end

words["pxe-prompt"] = function(site, fields)
  local prompt = { wanted = take(fields, "tag:", "net:"), text = fields[1], timeout = tonumber(fields[2]) }
  if not prompt.text then
    return nil, "has no text"
  end
  table.insert(site.prompts, 1, prompt)
  return true
end

words["tag-if"] = function(site, fields)
  local line = { set = {}, wanted = {} }
  for _, field in ipairs(fields) do
    local prefix, tag = field:match("^(%l%l%l):(.+)$")
    if prefix ~= "set" and prefix ~= "tag" then
      return nil, ('"%s" is neither set:… nor tag:…'):format(field)
    end
    table.insert(prefix == "set" and line.set or line.wanted, tag)
  end
  table.insert(site.tag_ifs, line)
  return #line.set > 0 or nil, "sets no tag"
end

words["dhcp-ignore"] = function(site, fields)
  local wanted = take(fields, "tag:", "net:")
  for _, tag in ipairs(fields) do
    table.insert(wanted, tag)
  end
  table.insert(site.ignores, wanted)
  return true
end

local function default_mask(address)
  local first = tonumber(address:match("^%d+"))
  return first < 128 and "255.0.0.0" or first < 192 and "255.255.0.0" or "255.255.255.0"
end

words["dhcp-range"] = function(site, fields)
  local range = { set = {}, wanted = {} }
  while fields[1] and not is_address(fields[1]) do
    local prefix, name = fields[1]:match("^(%l+:)(.*)$")
    if prefix == "tag:" then
      table.insert(range.wanted, name)
    elseif prefix == "set:" or prefix == "net:" or not prefix and not fields[1]:find(":", 1, true) then
      table.insert(range.set, name or fields[1])
    elseif prefix ~= "interface:" then
      return true -- DHCPv6
    end
    table.remove(fields, 1)
  end
  if not fields[1] then
    return true
  end
  range.start, range.mask = fields[1], default_mask(fields[1])
  for i = 2, #fields do
    range.proxy = range.proxy or fields[i] == "proxy"
    if is_address(fields[i]) and fields[i]:find("^255%.") then
      range.mask = fields[i]
      break
    end
  end
  table.insert(site.ranges, range)
  return true
end

-- Options of the answer that PXELINUX reads.
local function option(site, fields, forced)
  local wanted = take(fields, "tag:", "net:")
  local field = table.remove(fields, 1) or ""
  local vendor = field:match("^vendor:(.*)$")
  if vendor and ("PXEClient"):sub(1, #vendor) == vendor then
    local code = tonumber((fields[1] or ""):match("^%d+"))
    if code and code > 7 then
      return nil, ("cannot follow a vendor option %d of PXE: use pxe-service and pxe-prompt"):format(code)
    end
    return true -- multicast discovery, which moonboot's answers switch off
  end
  local code = option_names[field:match("^option:(.+)$") or ""] or tonumber(field)
  local value = table.concat(fields, ",")
  if code == 66 or code == 67 then
    return nil, ("cannot follow option %d: say it by dhcp-boot"):format(code)
  elseif code == 209 or code == 210 then
    if forced then
      table.insert(site.options, 1, { wanted = wanted, code = code, value = bytes(value) })
    end
  end
  return true
end

words["dhcp-option"] = function(site, fields)
  return option(site, fields, false)
end

words["dhcp-option-force"] = function(site, fields)
  return option(site, fields, true)
end

words["dhcp-option-pxe"] = words["dhcp-option-force"]

words["dhcp-pxe-vendor"] = function(_, fields)
  for _, vendor in ipairs(fields) do
    if vendor ~= "PXEClient" then
      log.warn(('dnsmasq: for dhcp-pxe-vendor=%s the policy needs dhcp { vendors = { "%s" } }'):format(vendor, vendor))
    end
  end
  return true
end

-- The site of a list of directives (conf.lua).
function directives.read(found)
  local site = {
    matches = {}, names = {}, macs = {}, boots = {}, services = {}, prompts = {},
    tag_ifs = {}, ignores = {}, ranges = {}, options = {}, next_type = 0x8000,
    by_mac = {}, by_name = {}, wild = {}, -- the dhcp-hosts
  }
  for _, directive in ipairs(found) do
    local word = words[directive.name]
    local good, wrong = true, nil
    if word then
      good, wrong = word(site, directive.fields)
    elseif directive.name:find("^pxe%-") or directive.name:find("^dhcp%-pxe") then
      good, wrong = nil, "moonboot knows no such directive"
    end
    if not good then
      problem(directive.file, directive.line, ("%s: %s"):format(directive.name, wrong))
    end
  end
  return site
end

return directives
