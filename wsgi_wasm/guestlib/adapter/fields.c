/* The resource `fields`: headers and trailers, in the order and spelling in which they were
 * added. */
#include "adapter.h"

IMPORT("resource", "new-fields") Handle new_fields(Fields *fields);
IMPORT("resource", "rep-fields") Fields *fields_rep(Handle handle);

enum { OK = -1, INVALID_SYNTAX = 0, FORBIDDEN = 1, IMMUTABLE = 2 }; /* header-error */

/* Fields that belong to the connection or are the server's, as Wasmtime's own implementation has
 * them. */
static const Text forbidden[] = {
    WORD("connection"),          WORD("host"),             WORD("http2-settings"),    WORD("keep-alive"),
    WORD("proxy-authenticate"),  WORD("proxy-authorization"), WORD("proxy-connection"), WORD("transfer-encoding"),
    WORD("upgrade"),
};

static bool is_forbidden(Text name) {
    for (unsigned i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (same_name(name, forbidden[i]))
            return true;
    return false;
}

static int name_error(Text name) {
    return !is_token(name) ? INVALID_SYNTAX : is_forbidden(name) ? FORBIDDEN : OK;
}

static Result *done(int error) { /* result<_, header-error> */
    zeroed();
    if (error != OK) {
        result.bytes[0] = 1;
        result.bytes[1] = error;
    }
    return &result;
}

static Result *refused(int error) {
    release();
    return done(error);
}

Fields *fields_empty(void) {
    Fields *fields = allocate(sizeof *fields);
    *fields = (Fields){.first = 0};
    fields->end = &fields->first;
    return fields;
}

void fields_add(Fields *fields, Text name, Text value) {
    Field *field = allocate(sizeof *field);
    *field = (Field){.name = name, .value = value};
    *fields->end = field;
    fields->end = &field->next;
    fields->count++;
}

static void remove_all(Fields *fields, Text name) {
    Field **link = &fields->first;
    while (*link)
        if (same_name((*link)->name, name)) {
            *link = (*link)->next;
            fields->count--;
        } else
            link = &(*link)->next;
    fields->end = link;
}

Handle fields_view(const Fields *fields) {
    Fields *view = allocate(sizeof *view);
    *view = *fields;
    view->immutable = true;
    keep();
    return new_fields(view);
}

Fields *fields_of(Handle handle) {
    return fields_rep(handle);
}

EXPORT("fields") Handle fields_constructor(void) {
    Fields *fields = fields_empty();
    keep();
    return new_fields(fields);
}

EXPORT("fields.from-list") Result *fields_from_list(const Text *entries, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        int error = name_error(entries[2 * i]);
        if (error == OK && !is_field_value(entries[2 * i + 1]))
            error = INVALID_SYNTAX;
        if (error != OK) {
            release();
            result_error()->bytes[4] = error; /* the other case is a handle, which is aligned */
            return &result;
        }
    }
    Fields *fields = fields_empty();
    for (uint32_t i = 0; i < count; i++)
        fields_add(fields, entries[2 * i], entries[2 * i + 1]);
    keep();
    return result_handle(new_fields(fields));
}

EXPORT("fields.get") Result *fields_get(const Fields *fields, uint8_t *at, uint32_t size) {
    Text name = {at, size};
    Text *values = allocate(fields->count * sizeof *values);
    uint32_t count = 0;
    for (Field *field = fields->first; field && count < fields->count; field = field->next)
        if (same_name(field->name, name))
            values[count++] = field->value;
    return result_list(values, count);
}

EXPORT("fields.has") bool fields_has(const Fields *fields, uint8_t *at, uint32_t size) {
    Text name = {at, size};
    bool found = false;
    for (Field *field = fields->first; field && !found; field = field->next)
        found = same_name(field->name, name);
    release();
    return found;
}

EXPORT("fields.set") Result *fields_set(Fields *fields, uint8_t *at, uint32_t size, const Text *values, uint32_t count) {
    Text name = {at, size};
    int error = fields->immutable ? IMMUTABLE : name_error(name);
    for (uint32_t i = 0; i < count && error == OK; i++)
        if (!is_field_value(values[i]))
            error = INVALID_SYNTAX;
    if (error != OK)
        return refused(error);
    remove_all(fields, name);
    for (uint32_t i = 0; i < count; i++)
        fields_add(fields, name, values[i]);
    keep();
    return done(OK);
}

EXPORT("fields.append")
Result *fields_append(Fields *fields, uint8_t *name_at, uint32_t name_size, uint8_t *at, uint32_t size) {
    Text name = {name_at, name_size}, value = {at, size};
    int error = fields->immutable ? IMMUTABLE : name_error(name);
    if (error == OK && !is_field_value(value))
        error = INVALID_SYNTAX;
    if (error != OK)
        return refused(error);
    fields_add(fields, name, value);
    keep();
    return done(OK);
}

EXPORT("fields.delete") Result *fields_delete(Fields *fields, uint8_t *at, uint32_t size) {
    Text name = {at, size};
    int error = fields->immutable ? IMMUTABLE : name_error(name);
    if (error == OK)
        remove_all(fields, name);
    release();
    return done(error);
}

EXPORT("fields.entries") Result *fields_entries(const Fields *fields) {
    Text *entries = allocate(2 * fields->count * sizeof *entries);
    uint32_t count = 0;
    for (Field *field = fields->first; field && count < fields->count; field = field->next) {
        entries[2 * count] = field->name;
        entries[2 * count + 1] = field->value;
        count++;
    }
    return result_list(entries, count);
}

EXPORT("fields.clone") Handle fields_clone(const Fields *fields) {
    Fields *copy = fields_empty();
    uint32_t count = 0;
    for (Field *field = fields->first; field && count++ < fields->count; field = field->next)
        fields_add(copy, field->name, field->value);
    keep();
    return new_fields(copy);
}
