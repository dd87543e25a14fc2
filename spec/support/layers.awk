# SPDX-License-Identifier: MIT
#
# layers.awk - a C file includes its own folder and the folders below it; some system headers have one home.
BEGIN {
	split("base os tree stream loop bind host", order, " ")
	for (i in order) rank[order[i]] = i
	home["sys/inotify.h"] = "os"
	home["ev.h"] = "loop"
	home["lua.h"] = home["lauxlib.h"] = home["lualib.h"] = "bind host"
}
function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
FNR == 1 {
	depth = split(FILENAME, part, "/")
	folder = depth == 3 ? part[2] : "public" # src/moonwatch.h
	if (depth == 3 && !(folder in rank)) complain("no layer is called " folder)
}
match($0, /^[ \t]*#[ \t]*include[ \t]*"[^"]+"/) {
	split($0, quoted, "\"")
	split(quoted[2], part, "/")
	if (quoted[2] == "moonwatch.h") { if (rank[folder] < rank["bind"]) complain("moonwatch.h is for bind and host") }
	else if (!(part[1] in rank)) complain("\"" quoted[2] "\" names no layer")
	else if (rank[part[1]] > rank[folder]) complain(folder " must not include " part[1])
}
match($0, /^[ \t]*#[ \t]*include[ \t]*<[^>]+>/) {
	name = $0
	sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
	if (name in home && folder != "public" && index(" " home[name] " ", " " folder " ") == 0)
		complain("<" name "> is for " home[name])
}
END { exit bad }
