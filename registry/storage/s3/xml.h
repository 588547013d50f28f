#pragma once

#include <stddef.h>

#include "common/error.h"

/*
 * XML of a store's answers, by libexpat. Whoever controls the store or the way to it controls this
 * text, so documents with a DOCTYPE, more than XML_DEPTH_MAX levels, or a text of more than
 * XML_TEXT_MAX bytes are refused. From any thread.
 */
enum { XML_DEPTH_MAX = 8, XML_TEXT_MAX = 4096 };

/*
 * Called at the end of each element. path: the names from the root on, such as
 * "ListBucketResult/Contents/Key"; text: that of the element itself, "" if it has only elements.
 * Both are valid during the call. 0, or negative to end the reading.
 */
typedef int xml_handler(void *object, const char *path, const char *text);

/* Loads the library, unless it is loaded: not while another thread does. 0 or negative. */
int xml_load(struct error *err) MUST_USE;

/* 0; negative if it is no such document, or what the handler returned. */
int xml_parse(const void *bytes, size_t size, xml_handler *handler, void *object,
              struct error *err) MUST_USE;
