/* SPDX-License-Identifier: MIT
 *
 * glob.c - one pattern of gitignore's language, compiled.
 *
 * A pattern becomes a row of tokens:
 *
 *   LITERAL n bytes...   the bytes themselves, slashes too
 *   ANY                  one byte but a slash
 *   CLASS bits[32]       one of these bytes (never a slash)
 *   STAR                 any bytes but slashes
 *   DEEP_SLASH           nothing, or anything that ends in a slash: `**` and its slash
 *   DEEP                 anything: `**` at the end, or before an escaped slash
 *   END
 *
 * Most patterns are names and `*.suffix`; their tail decides and no token is looked at.
 *
 * What git does and its manual does not say, held here too: what stands before the first of `* ? [ \` is compared
 * apart, and `**` right behind it counts as if it stood at the beginning: `foo**` matches foo/a/b where the pattern is
 * anchored, and `a/foo**` + `/bar` matches a/foobar. Before `\/`, `**` takes no part of the slash.
 */
#include "tree/glob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char Byte;

enum { LONGEST_PATTERN = 1 << 28, LONGEST_LITERAL = 255 };

enum { END, LITERAL, ANY, CLASS, STAR, DEEP_SLASH, DEEP };

typedef enum GlobKind {
	KIND_NEVER,  /* malformed */
	KIND_NAME,   /* nothing but the tail */
	KIND_SUFFIX, /* `*` and the tail, floating */
	KIND_TOKENS
} GlobKind;

struct Glob {
	uint32_t shortest; /* no shorter text can match */
	uint32_t tail_at;  /* in code: the bytes every match ends in */
	uint8_t tail_length;
	uint8_t kind;  /* GlobKind */
	bool floating; /* held against the last component alone */
	bool directories_only;
	Byte code[];
};

/* --- classes -------------------------------------------------------------------------------------------------- */

static void set_add(uint8_t *set, Byte byte)
{
	if (set != NULL)
		set[byte >> 3] |= (uint8_t)(1u << (byte & 7));
}

static bool set_has(const uint8_t *set, Byte byte)
{
	return (set[byte >> 3] >> (byte & 7) & 1) != 0;
}

static void set_add_range(uint8_t *set, unsigned first, unsigned last)
{
	for (unsigned byte = first; byte <= last; byte++)
		set_add(set, (Byte)byte);
}

typedef struct Range {
	Byte first, last;
} Range;

/* The members of the named classes, in ASCII whatever the locale; as git, vertical tab and form feed are no space. */
static const struct NamedClass {
	const char *name;
	Range ranges[4];
} named_classes[] = {
	{"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
	{"alpha", {{'A', 'Z'}, {'a', 'z'}}},
	{"blank", {{' ', ' '}, {'\t', '\t'}}},
	{"cntrl", {{1, 31}, {127, 127}}},
	{"digit", {{'0', '9'}}},
	{"graph", {{'!', '~'}}},
	{"lower", {{'a', 'z'}}},
	{"print", {{' ', '~'}}},
	{"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
	{"space", {{' ', ' '}, {'\t', '\n'}, {'\r', '\r'}}},
	{"upper", {{'A', 'Z'}}},
	{"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

static bool set_add_named(uint8_t *set, const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof named_classes / sizeof *named_classes; i++) {
		const struct NamedClass *class = &named_classes[i];
		if (strlen(class->name) != length || memcmp(class->name, name, length) != 0)
			continue;
		for (size_t r = 0; r < 4 && class->ranges[r].last != 0; r++)
			set_add_range(set, class->ranges[r].first, class->ranges[r].last);
		return true;
	}
	return false;
}

static void set_finish(uint8_t *set, bool negated)
{
	for (size_t i = 0; negated && i < GLOB_CLASS_BYTES; i++)
		set[i] = (uint8_t)~set[i];
	set['/' >> 3] &= (uint8_t) ~(1u << ('/' & 7));
}

/* A class being read. */
typedef struct ClassReader {
	const char *text;
	size_t length, at;
	uint8_t *set;
	Byte before; /* the member that a `-` would range from; 0 none */
} ClassReader;

/* The byte here, or the one behind a backslash here; false at the end of the text. */
static bool read_member(ClassReader *reader, Byte *member)
{
	if (reader->at < reader->length && reader->text[reader->at] == '\\')
		reader->at++;
	if (reader->at >= reader->length)
		return false;
	*member = (Byte)reader->text[reader->at];
	return true;
}

/* At a "[:". A bracket that is not closed by ":]" is a member like others. */
static bool read_named(ClassReader *reader)
{
	const char *name = reader->text + reader->at + 2;
	const char *end = memchr(name, ']', (size_t)(reader->text + reader->length - name));
	if (end == NULL)
		return false;
	if (end == name || end[-1] != ':') {
		set_add(reader->set, '[');
		reader->before = '[';
		return true;
	}
	reader->at = (size_t)(end - reader->text);
	reader->before = 0;
	return set_add_named(reader->set, name, (size_t)(end - 1 - name));
}

static bool read_range(ClassReader *reader)
{
	Byte last;
	reader->at++;
	if (!read_member(reader, &last))
		return false;
	set_add_range(reader->set, reader->before, last);
	reader->before = 0;
	return true;
}

static bool next_is(const ClassReader *reader, char byte)
{
	return reader->at + 1 < reader->length && reader->text[reader->at + 1] == byte;
}

/* One member, range or named class; stands on its last byte afterwards. */
static bool read_item(ClassReader *reader)
{
	if (reader->at >= reader->length)
		return false;
	char byte = reader->text[reader->at];
	if (byte == '[' && next_is(reader, ':'))
		return read_named(reader);
	if (byte == '-' && reader->before != 0 && reader->at + 1 < reader->length &&
		!next_is(reader, ']'))
		return read_range(reader);
	if (!read_member(reader, &reader->before))
		return false;
	set_add(reader->set, reader->before);
	return true;
}

size_t glob_class(const char *text, size_t length, size_t at, uint8_t set[GLOB_CLASS_BYTES])
{
	if (set != NULL)
		memset(set, 0, GLOB_CLASS_BYTES);
	ClassReader reader = {.text = text, .length = length, .at = at + 1, .set = set};
	bool negated = reader.at < length && (text[reader.at] == '!' || text[reader.at] == '^');
	if (negated)
		reader.at++;
	do { /* a bracket that comes first is a member */
		if (!read_item(&reader))
			return 0;
		reader.at++;
	} while (reader.at >= length || text[reader.at] != ']');
	if (set != NULL)
		set_finish(set, negated);
	return reader.at + 1;
}

/* --- compiling ------------------------------------------------------------------------------------------------ */

typedef struct Compiler {
	const char *text;
	size_t length, at;
	size_t head; /* where the part before the first of `* ? [ \` ends */
	Glob *glob;
	size_t size;         /* of the code so far */
	size_t last_literal; /* where in the code the literal that may still grow begins; 0 none */
} Compiler;

static void put(Compiler *compiler, Byte token)
{
	compiler->glob->code[compiler->size++] = token;
	compiler->last_literal = 0;
}

static void put_literal(Compiler *compiler, char byte)
{
	Byte *code = compiler->glob->code;
	size_t literal = compiler->last_literal;
	if (literal == 0 || code[literal] == LONGEST_LITERAL) {
		put(compiler, LITERAL);
		literal = compiler->last_literal = compiler->size;
		code[compiler->size++] = 0;
	}
	code[literal]++;
	code[compiler->size++] = (Byte)byte;
	compiler->glob->shortest++;
}

/* Do the stars that begin at `at` and end before `after` span directories? */
static bool is_deep(const Compiler *compiler, size_t at, size_t after)
{
	const char *text = compiler->text;
	size_t left = compiler->length - after;
	if (compiler->glob->floating || after - at < 2)
		return false;
	if (at != compiler->head && text[at - 1] != '/')
		return false;
	return left == 0 || text[after] == '/' ||
		(left > 1 && text[after] == '\\' && text[after + 1] == '/');
}

static void compile_stars(Compiler *compiler)
{
	size_t after = compiler->at;
	while (after < compiler->length && compiler->text[after] == '*')
		after++;
	if (!is_deep(compiler, compiler->at, after)) {
		put(compiler, STAR);
	} else if (after < compiler->length && compiler->text[after] == '/') {
		put(compiler, DEEP_SLASH);
		after++;
	} else {
		put(compiler, DEEP);
	}
	compiler->at = after;
}

static bool compile_class(Compiler *compiler)
{
	put(compiler, CLASS);
	uint8_t *set = compiler->glob->code + compiler->size;
	size_t end = glob_class(compiler->text, compiler->length, compiler->at, set);
	compiler->size += GLOB_CLASS_BYTES;
	compiler->glob->shortest++;
	compiler->at = end;
	return end != 0;
}

/* False where nothing can match. */
static bool compile_next(Compiler *compiler)
{
	char byte = compiler->text[compiler->at];
	switch (byte) {
	case '*':
		compile_stars(compiler);
		return true;
	case '[':
		return compile_class(compiler);
	case '?':
		put(compiler, ANY);
		compiler->glob->shortest++;
		break;
	case '\\':
		if (++compiler->at == compiler->length)
			return false;
		byte = compiler->text[compiler->at];
		/* fall through */
	default:
		put_literal(compiler, byte);
	}
	compiler->at++;
	return true;
}

static const Byte *token_after(const Byte *code)
{
	switch (*code) {
	case LITERAL:
		return code + 2 + code[1];
	case CLASS:
		return code + 1 + GLOB_CLASS_BYTES;
	default:
		return code + 1;
	}
}

static bool stays_in_component(const Byte *code)
{
	for (; *code != END; code = token_after(code)) {
		if (*code == DEEP || *code == DEEP_SLASH)
			return false;
		if (*code == LITERAL && memchr(code + 2, '/', code[1]) != NULL)
			return false;
	}
	return true;
}

static void drop_first(Glob *glob, size_t *size)
{
	memmove(glob->code, glob->code + 1, --*size);
}

/* Where a leading `**` + slash is followed by a single component, the last component of the path decides. */
static void float_where_possible(Glob *glob, size_t *size)
{
	while (glob->code[0] == DEEP_SLASH && glob->code[1] == DEEP_SLASH)
		drop_first(glob, size);
	if (glob->code[0] == DEEP_SLASH && stays_in_component(glob->code + 1)) {
		drop_first(glob, size);
		glob->floating = true;
	}
}

static GlobKind kind_of(const Glob *glob)
{
	const Byte *code = glob->code;
	if (*code == LITERAL && *token_after(code) == END)
		return KIND_NAME;
	if (*code != STAR || !glob->floating)
		return KIND_TOKENS;
	code++;
	if (*code == END || (*code == LITERAL && *token_after(code) == END))
		return KIND_SUFFIX;
	return KIND_TOKENS;
}

static void note_tail(Glob *glob)
{
	const Byte *last = glob->code;
	for (const Byte *code = last; *code != END; code = token_after(code))
		last = code;
	if (*last == LITERAL) {
		glob->tail_at = (uint32_t)(last + 2 - glob->code);
		glob->tail_length = last[1];
	}
}

/* An empty pattern matches nothing: no component is empty. */
static void compile(Compiler *compiler)
{
	Glob *glob = compiler->glob;
	bool fine = compiler->length > compiler->at;
	while (fine && compiler->at < compiler->length)
		fine = compile_next(compiler);
	put(compiler, END);
	if (!fine)
		return;
	float_where_possible(glob, &compiler->size);
	note_tail(glob);
	glob->kind = (uint8_t)kind_of(glob);
}

int glob_new(const char *text, size_t length, Glob **result)
{
	if (length > LONGEST_PATTERN)
		return -E2BIG;
	/* No token takes more than eleven bytes for each byte of text ("[a]" is the longest). */
	Glob *glob = malloc(sizeof *glob + 11 * length + 2 + GLOB_CLASS_BYTES);
	if (glob == NULL)
		return -ENOMEM;
	*glob = (Glob){.kind = KIND_NEVER};
	if (length > 0 && text[length - 1] == '/') {
		glob->directories_only = true;
		length--;
	}
	glob->floating = length == 0 || memchr(text, '/', length) == NULL;
	Compiler compiler = {.text = text, .length = length, .glob = glob};
	while (compiler.head < length && strchr("*?[\\", text[compiler.head]) == NULL)
		compiler.head++;
	compiler.at = !glob->floating && text[0] == '/' ? 1 : 0;
	compile(&compiler);
	Glob *smaller = realloc(glob, sizeof *glob + compiler.size);
	*result = smaller != NULL ? smaller : glob;
	return 0;
}

void glob_free(Glob *glob)
{
	free(glob);
}

/* --- matching ------------------------------------------------------------------------------------------------- */

/* A match being tried: what is left of tokens and text, and the last places to try again from. */
typedef struct Matcher {
	const Byte *code;
	const char *at, *end;
	const Byte *star; /* the tokens behind the last `*` of this component; NULL none */
	const char *star_at;
	const Byte *deep; /* the tokens behind the last `**`; NULL none */
	const char *deep_at;
	bool deep_slash;
	bool below; /* the text is a directory: is anything below it a match? */
} Matcher;

typedef enum Step { STEP_ON, STEP_FAIL, STEP_MATCH } Step;

/* Asked about what is below, a text may end inside a literal if what comes next is the slash and then something. */
static bool goes_on_below(const Matcher *matcher, size_t left)
{
	const Byte *literal = matcher->code + 2;
	size_t length = matcher->code[1];
	if (!matcher->below || left >= length || literal[left] != '/')
		return false;
	if (left > 0 && memcmp(matcher->at, literal, left) != 0)
		return false;
	return left + 1 < length || literal[length] != END;
}

static Step step_literal(Matcher *matcher)
{
	size_t length = matcher->code[1];
	size_t left = (size_t)(matcher->end - matcher->at);
	if (left < length)
		return goes_on_below(matcher, left) ? STEP_MATCH : STEP_FAIL;
	if (memcmp(matcher->at, matcher->code + 2, length) != 0)
		return STEP_FAIL;
	matcher->at += length;
	matcher->code += 2 + length;
	return STEP_ON;
}

static Step step_deep(Matcher *matcher)
{
	bool slash = *matcher->code == DEEP_SLASH;
	matcher->code++;
	if (matcher->below || (!slash && *matcher->code == END))
		return STEP_MATCH;
	matcher->deep = matcher->code;
	matcher->deep_at = matcher->at;
	matcher->deep_slash = slash;
	matcher->star = NULL;
	return STEP_ON;
}

static Step step(Matcher *matcher)
{
	const Byte *code = matcher->code;
	switch (*code) {
	case LITERAL:
		return step_literal(matcher);
	case STAR:
		matcher->star = ++matcher->code;
		matcher->star_at = matcher->at;
		return STEP_ON;
	case DEEP:
	case DEEP_SLASH:
		return step_deep(matcher);
	case END:
		return matcher->at == matcher->end && !matcher->below ? STEP_MATCH : STEP_FAIL;
	default:
		if (matcher->at == matcher->end || *matcher->at == '/')
			return STEP_FAIL;
		if (*code == CLASS && !set_has(code + 1, (Byte)*matcher->at))
			return STEP_FAIL;
		matcher->at++;
		matcher->code = token_after(code);
		return STEP_ON;
	}
}

static bool retry_star(Matcher *matcher)
{
	if (matcher->star == NULL || matcher->star_at == matcher->end || *matcher->star_at == '/')
		return false;
	matcher->at = ++matcher->star_at;
	matcher->code = matcher->star;
	return true;
}

static bool retry_deep(Matcher *matcher)
{
	if (matcher->deep == NULL || matcher->deep_at == matcher->end)
		return false;
	if (matcher->deep_slash) {
		size_t left = (size_t)(matcher->end - matcher->deep_at);
		const char *slash = memchr(matcher->deep_at, '/', left);
		if (slash == NULL)
			return false;
		matcher->deep_at = slash;
	}
	matcher->at = ++matcher->deep_at;
	matcher->code = matcher->deep;
	matcher->star = NULL;
	return true;
}

/* Trying again only from the last star and the last `**` is enough: a component of the pattern stays in one of the
 * text, and what a later `**` skips is all that an earlier one could have. */
static bool run(Matcher *matcher)
{
	for (;;) {
		Step result = step(matcher);
		if (result == STEP_MATCH)
			return true;
		if (result == STEP_FAIL && !retry_star(matcher) && !retry_deep(matcher))
			return false;
	}
}

static bool has_tail(const Glob *glob, const char *end)
{
	size_t length = glob->tail_length;
	return memcmp(end - length, glob->code + glob->tail_at, length) == 0;
}

bool glob_match(const Glob *glob, const char *rel, size_t length, size_t name_at)
{
	const char *text = glob->floating ? rel + name_at : rel;
	const char *end = rel + length;
	size_t text_length = (size_t)(end - text);
	if (glob->kind == KIND_NEVER || text_length < glob->shortest || !has_tail(glob, end))
		return false;
	if (glob->kind == KIND_NAME)
		return text_length == glob->shortest;
	if (glob->kind == KIND_SUFFIX)
		return true;
	Matcher matcher = {.code = glob->code, .at = text, .end = end};
	return run(&matcher);
}

bool glob_may_match_below(const Glob *glob, const char *rel, size_t length)
{
	if (glob->kind == KIND_NEVER)
		return false;
	if (glob->floating || length == 0)
		return true;
	Matcher matcher = {.code = glob->code, .at = rel, .end = rel + length, .below = true};
	return run(&matcher);
}

int glob_last_byte(const Glob *glob)
{
	return glob->tail_length > 0 ? glob->code[glob->tail_at + glob->tail_length - 1] : -1;
}

bool glob_directories_only(const Glob *glob)
{
	return glob->directories_only;
}
