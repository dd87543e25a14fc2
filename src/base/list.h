/* SPDX-License-Identifier: MIT
 *
 * list.h - a doubly linked ring whose links are embedded in the items.
 *
 * A zeroed link is "in no list"; a head is initialised with list_init. Nothing is allocated.
 */
#ifndef MOONWATCH_BASE_LIST_H
#define MOONWATCH_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct List List;
struct List {
	List *next, *prev;
};

#define list_item(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(List *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const List *head)
{
	return head->next == head || head->next == NULL;
}

static inline bool list_linked(const List *link)
{
	return link->next != NULL;
}

static inline void list_append(List *head, List *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void list_prepend(List *head, List *link)
{
	link->next = head->next;
	link->prev = head;
	head->next->prev = link;
	head->next = link;
}

/* Fine on a link that is in no list. */
static inline void list_remove(List *link)
{
	if (link->next == NULL)
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}

/* The first link, taken out; NULL where the list is empty. */
static inline List *list_pop(List *head)
{
	List *first = head->next;
	if (list_empty(head))
		return NULL;
	list_remove(first);
	return first;
}

#endif
