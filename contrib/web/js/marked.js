// SPDX-License-Identifier: BSD-2-Clause
// Parts of a text that were searched for, as elements.
import {el} from './dom.js';

// ranges: [[from, to], …], sorted, none within another.
export function marked(text, ranges) {
    const nodes = [];
    let end = 0;
    for (const [from, to] of ranges) {
        nodes.push(text.slice(end, from), el('mark', {}, text.slice(from, to)));
        end = to;
    }
    return [...nodes, text.slice(end)];
}
