-- What a configuration of PXELINUX boots, as an answer of moonboot's.

local boot = {}

-- A file as PXELINUX finds it -> as moonboot does: under /assets/, or a URL.
local function file(name)
  local server, path = name:match("^([^:/]*)::(.*)$")
  if server and server ~= "" then
    return "tftp://" .. server .. "/" .. path:gsub("^/+", "")
  elseif name:find("^%a[%w+.-]*://") then
    return name
  end
  return ((path or name):gsub("^/+", ""))
end

local function names(text, into)
  for name in (text or ""):gmatch("[^,%s]+") do
    into[#into + 1] = file(name)
  end
end

-- The words of a line; white space in quotes is none.
local function split(line)
  local found, word, quoted = {}, "", false
  for char in line:gmatch(".") do
    if char == '"' then
      quoted = not quoted
    end
    if char:find("%s") and not quoted then
      if word ~= "" then
        found[#found + 1] = word
      end
      word = ""
    else
      word = word .. char
    end
  end
  if word ~= "" then
    found[#found + 1] = word
  end
  return found
end

-- What SYSAPPEND adds by its bits: an argument, and the machine's field in it. What is missing is
-- not known to moonboot, or stands for its kernel's own DHCP (1: ip=).
local additions = {
  { 0x00002, "BOOTIF=01-", "mac", function(mac) return (mac:gsub(":", "-")) end },
  { 0x00004, "SYSUUID=", "uuid" },
  { 0x00010, "SYSVENDOR=", "manufacturer" },
  { 0x00020, "SYSPRODUCT=", "product" },
  { 0x00080, "SYSSERIAL=", "serial" },
}

local function add(args, bits, machine)
  if bit.band(bits, 1) ~= 0 then
    args[#args + 1] = "ip=dhcp"
  end
  for _, each in ipairs(additions) do
    local value = bit.band(bits, each[1]) ~= 0 and machine[each[3]]
    if value then
      args[#args + 1] = each[2] .. (each[4] and each[4](value) or value:gsub("%s+", "_"))
    end
  end
end

local function linux(label, machine, extra)
  local profile = { kernel = file(label.kernel), initrd = {}, args = { "BOOT_IMAGE=" .. label.kernel } }
  names(label.initrd, profile.initrd)
  local append = label.append ~= "-" and label.append or ""
  for _, arg in ipairs(split(append .. " " .. (extra or ""))) do
    local list = arg:match("^initrd=(.*)$")
    if list then
      names(list, profile.initrd)
    else
      table.insert(profile.args, arg)
    end
  end
  add(profile.args, label.sysappend, machine)
  return profile
end

local boots = { linux = linux }

boots["local"] = function(label)
  return label.kernel == "-1" and ignore or disk
end

function boots.pxe(label)
  return chain(file(label.kernel))
end

-- Of the modules, the one that starts a disk has a counterpart.
function boots.com32(label)
  local module = label.kernel:match("([^/]+)$")
  if module == "chain.c32" or module == "localboot.c32" then
    return disk
  end
  return deny(("%s needs %s, which only PXELINUX itself runs"):format(label.name, module))
end

local function entry(label, machine, extra)
  local of = boots[label.kind]
  if of then
    return of(label, machine, extra)
  end
  return deny(("%s is a %s, which only PXELINUX itself boots"):format(label.name, label.kind))
end

-- "linux quiet" -> the label, or one for the kernel of that name; and what stands behind it.
local function find(site, text)
  local name, extra = text:match("^(%S+)%s*(.*)$")
  return site.by_name[text] or site.by_name[name]
    or { name = name, text = name, kind = "linux", kernel = name, sysappend = site.sysappend or 0,
         append = site.append, initrd = site.initrd }, extra
end

-- What the machine boots by this configuration; nil when it says nothing.
function boot.answer(site, machine)
  local first = site.menu_default or site.default or site.labels[1] and site.labels[1].name
  if not first then
    return nil
  end
  if not site.asks then
    local label, extra = find(site, site.default or first)
    return entry(label, machine, extra)
  end
  local choices = { title = site.title or "Boot", timeout = site.timeout > 0 and math.ceil(site.timeout / 10) or nil }
  local wanted = find(site, site.timeout > 0 and site.on_timeout or first)
  for _, label in ipairs(site.labels) do
    if not label.hidden then
      choices[#choices + 1] = { label.text, entry(label, machine) }
      choices.default = label == wanted and #choices or choices.default
    end
  end
  if #choices == 0 then
    return entry(wanted, machine)
  end
  return menu(choices)
end

return boot
