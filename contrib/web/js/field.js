// SPDX-License-Identifier: BSD-2-Clause
import {el} from './dom.js';

let count = 0;

// An input with its label above, and a hint below that belongs to it.
export function field(label, input, hint = null) {
    const id = `field-${++count}`;
    input.id = id;
    if (hint !== null)
        input.setAttribute('aria-describedby', `${id}-hint`);
    return el('div.field', {}, el('label', {for: id}, label), input,
        hint !== null && el('small', {id: `${id}-hint`}, hint));
}
