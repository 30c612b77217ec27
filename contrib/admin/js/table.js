// SPDX-License-Identifier: BSD-2-Clause
// Tables, and what is said beside them.
import {el} from '../../web/js/dom.js';

// columns: headings. rows: arrays of cells, each a text or nodes; the first one heads its row.
export function table(caption, columns, rows, spec = 'table') {
    return el('div.table-box', {role: 'region', 'aria-label': caption, tabindex: '0'},
        el(spec, {}, el('caption.unseen', {}, caption),
            el('thead', {}, el('tr', {}, columns.map((text) => el('th', {scope: 'col'}, text)))),
            el('tbody', {}, rows.map(([head, ...cells]) => el('tr', {}, el('th', {scope: 'row'}, head), cells.map((cell) => el('td', {}, cell)))))));
}

// tone: good, warn or bad.
export function tag(text, tone) {
    return el(`span.tag.${tone}`, {}, text);
}

export function card(heading, ...content) {
    return el('section.card', {}, el('h2', {}, heading), ...content);
}
