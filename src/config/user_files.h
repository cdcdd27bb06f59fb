/*
 * Users that live in files of their own: an element {file: PATH} of `users`
 * stands for the users that are listed there.
 */
#pragma once

#include <config/field.h>

/*
 * Read these files and put their users, as nodes, in the place of the elements
 * that name them. What is wrong is reported: with a file, where it is named;
 * in a file, there. Whether all users are there now.
 */
bool user_files_read(struct field_decoder *d, struct node *root);
