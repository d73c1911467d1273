# The program of scripts/walls: the first file is walls.rules, the others are C.

# A pattern of the rules as a regular expression: * is anything but a slash, ** is anything.
function as_regex(pattern) {
    gsub(/[.+]/, "\\\\&", pattern)
    gsub(/\*\*/, "\001", pattern)
    gsub(/\*/, "[^/]*", pattern)
    gsub(/\001/, ".*", pattern)
    return "^" pattern "$"
}

function matches(name, patterns,    word, count, i) {
    count = split(patterns, word, " ")
    for (i = 1; i <= count; i++)
        if (name ~ as_regex(word[i]))
            return 1
    return 0
}

function complain(what, rule) {
    printf "%s:%d: %s%s\n", FILENAME, FNR, what, rule ? " (walls.rules:" rule ")" : ""
    wrong++
}

# "KIND left words : right words [except words]" into rule_*[n].
function read_rule(    line, part) {
    line = $0
    sub(/^[a-z]+[ \t]+/, "", line)
    split(line, part, /[ \t]+:[ \t]+/)
    n++
    kind[n] = $1
    left[n] = part[1]
    right[n] = part[2]
    except[n] = ""
    if (split(part[2], part, / except /) == 2) {
        right[n] = part[1]
        except[n] = part[2]
    }
    line_of[n] = FNR
    if ($1 !~ /^(room|foreign|system|pure|forbid)$/ || ($1 != "system" && right[n] == ""))
        complain("not a rule: " $0)
}

# What concerns this one file is looked up once, when it begins.
function enter_file(    i) {
    files++
    room = 0
    pure = 0
    forbidden = 0
    for (i = 1; i <= n; i++) {
        if (kind[i] == "room" && !room && matches(FILENAME, left[i]))
            room = i
        if (kind[i] == "pure" && matches(FILENAME, left[i]))
            pure = i
        if (kind[i] == "forbid" && matches(FILENAME, right[i]) && !matches(FILENAME, except[i]))
            forbid_here[++forbidden] = i
    }
    if (!room)
        complain("no room in walls.rules for this file")
}

function check_foreign(header,    i) {
    for (i = 1; i <= n; i++) {
        if (kind[i] != "foreign" || !matches(header, left[i]))
            continue
        if (!matches(FILENAME, right[i]))
            complain("<" header "> may be seen only by " right[i], line_of[i])
        return 1
    }
    return 0
}

function check_system(header,    i) {
    if (pure && !matches(header, right[pure])) {
        complain("<" header "> in a room that is pure", line_of[pure])
        return
    }
    for (i = 1; i <= n; i++)
        if (kind[i] == "system" && matches(header, left[i]))
            return
    complain("<" header "> is on no list: is it foreign or system?")
}

function check_own(header) {
    if (header !~ /^(proto|node|client|tests)\//)
        complain("\"" header "\": write the path from the top of the tree")
    else if (room && !matches(header, right[room]))
        complain("\"" header "\" is behind a wall for " left[room], line_of[room])
}

function check_include(    header, own) {
    own = $0 ~ /^[ \t]*#[ \t]*include[ \t]*"/
    header = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", header)
    sub(/[>"].*$/, "", header)
    if (check_foreign(header))
        return
    if (own)
        check_own(header)
    else
        check_system(header)
}

# A call is a whole word before a parenthesis, outside of strings and comments; x.free( and x->free( are somebody else's.
function check_calls(    code, word, count, i, j) {
    code = " " $0
    gsub(/\\./, "", code)
    gsub(/"[^"]*"/, "\"\"", code)
    sub(/\/\/.*$/, "", code)
    for (i = 1; i <= forbidden; i++) {
        count = split(left[forbid_here[i]], word, " ")
        for (j = 1; j <= count; j++)
            if (code ~ ("(^|[^A-Za-z0-9_.>])" word[j] "[ \t]*\\("))
                complain(word[j] "() must not be called here", line_of[forbid_here[i]])
    }
}

FILENAME == ARGV[1] {
    if ($0 !~ /^[ \t]*(#|$)/)
        read_rule()
    next
}
FNR == 1 { enter_file() }
/^[ \t]*#[ \t]*include/ { check_include(); next }
forbidden && /\(/ { check_calls() }

END {
    if (wrong)
        print "walls: " wrong " breaches in " files " files" > "/dev/stderr"
    else
        print "walls: " files " files, every wall stands"
    exit wrong > 0
}
