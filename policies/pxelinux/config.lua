-- Reads a configuration of PXELINUX (SYSLINUX's doc/syslinux.txt and menu.txt) as data:
-- { default =, on_timeout =, timeout = tenths of a second, asks = does it wait for a choice,
--   title =, labels = in order, by_name = } with each label
-- { name =, kind =, kernel =, append =, initrd =, sysappend =, text =, line =, file = }.

local config = {}

local DEPTH = 16 -- of INCLUDE

-- What KERNEL means, by the end of the file's name.
local kinds = {
  c32 = "com32", com = "com32", cbt = "comboot", ["0"] = "pxe", kpxe = "pxe", pxe = "pxe",
  bin = "boot sector", bs = "boot sector", bss = "boot sector", img = "floppy",
}

-- Keywords that say what a label boots, and as what.
local boots = {
  kernel = false, linux = "linux", boot = "boot sector", bss = "boot sector", pxe = "pxe",
  fdimage = "floppy", comboot = "comboot", com32 = "com32", config = "config",
}

local function kind_of(file)
  return kinds[file:match("%.(%w+)$") or ""] or "linux"
end

-- A menu's modules: with one of these, the user is asked.
local function is_menu(text)
  local module = text:match("^%S+") or ""
  return module:lower():match("([^/]+)$"):find("menu%.c32$") ~= nil
end

local words = {}

function words.label(site, value, at)
  local label = { name = value, text = value, file = at.file, line = at.line }
  site.label = label
  table.insert(site.labels, label)
  site.by_name[value] = site.by_name[value] or label
end

function words.append(site, value)
  (site.label or site).append = value
end

function words.initrd(site, value)
  (site.label or site).initrd = value
end

local function sysappend(site, value)
  (site.label or site).sysappend = tonumber(value) or 0 -- hexadecimal, too
end

words.sysappend, words.ipappend = sysappend, sysappend

function words.localboot(site, value)
  if site.label then
    site.label.kind, site.label.kernel = "local", value
  end
end

function words.default(site, value)
  if is_menu(value) then
    site.asks = true
  else
    site.default = value
  end
end

function words.ui(site, value)
  site.asks = site.asks or is_menu(value)
end

function words.prompt(site, value)
  site.prompt = value ~= "0"
end

function words.timeout(site, value)
  site.timeout = tonumber(value) or 0
end

function words.ontimeout(site, value)
  site.on_timeout = value
end

local menu_words = {}

function menu_words.title(site, value)
  if not site.label then
    site.title = site.title or value
  end
end

function menu_words.label(site, value)
  if site.label then
    site.label.text = value:gsub("%^(.)", "%1")
  end
end

function menu_words.default(site)
  site.menu_default = site.menu_default or site.label and site.label.name
end

local function hide(site)
  if site.label then
    site.label.hidden = true
  end
end

menu_words.hide, menu_words.disable, menu_words.disabled, menu_words.separator = hide, hide, hide, hide

-- One line -> the file to include, if it says so.
local function take(site, keyword, value, at)
  local kind = boots[keyword]
  if kind ~= nil then
    if site.label then
      site.label.kernel, site.label.kind = value, kind or kind_of(value)
    end
  elseif keyword == "include" then
    return value:match("^%S+")
  elseif keyword == "menu" then
    local word, rest = value:match("^(%S+)%s*(.-)$")
    word = (word or ""):lower()
    if word == "include" then
      return rest:match("^%S+")
    elseif menu_words[word] then
      menu_words[word](site, rest)
    end
  elseif words[keyword] then
    words[keyword](site, value, at)
  end
end

-- `find(name)` -> text, the file as the policy calls it; nil when there is none.
local function parse(site, text, file, find, depth)
  local line, help = 0, false
  for raw in (text .. "\n"):gmatch("([^\n]*)\n") do
    line = line + 1
    local keyword, value = raw:match("^%s*(%S+)%s*(.-)%s*$")
    keyword = (keyword or "#"):lower()
    if help then
      help = keyword ~= "endtext"
    elseif keyword == "text" and value:lower() == "help" then
      help = true
    elseif not keyword:find("^#") then
      local more = take(site, keyword, value, { file = file, line = line })
      if more then
        local included, name = find(more)
        if not included then
          problem(file, line, ("%s: there is no file %s for the policy to read"):format(keyword, name))
        elseif depth == DEPTH then
          problem(file, line, "files include each other without an end")
        else
          parse(site, included, name, find, depth + 1)
        end
      end
    end
  end
end

-- A configuration from its text.
function config.read(text, file, find)
  local site = { labels = {}, by_name = {}, timeout = 0 }
  parse(site, text, file, find, 0)
  site.label = nil
  site.asks = site.asks or site.prompt and #site.labels > 0
  for _, label in ipairs(site.labels) do
    label.kernel = label.kernel or label.name -- as PXELINUX has it
    label.kind = label.kind or kind_of(label.kernel)
    label.append = label.append or site.append
    label.initrd = label.initrd or site.initrd
    label.sysappend = label.sysappend or site.sysappend or 0
  end
  return site
end

return config
