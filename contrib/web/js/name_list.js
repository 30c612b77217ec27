// SPDX-License-Identifier: BSD-2-Clause
// Several people in a sentence: "Ann", "Ann and Ben", "Ann, Ben and 3 others".
import {t} from './i18n.js';

const ALL_SHOWN = 3;

// names: at least one, in the order to show them. total: how many there are, if more than names.
export function nameList(names, total = names.length) {
    const [a, b, c] = names;
    if (total === 1)
        return a;
    if (total === 2 && names.length === 2)
        return t('list.two', {a, b});
    if (total === ALL_SHOWN && names.length === ALL_SHOWN)
        return t('list.three', {a, b, c});
    if (names.length === 1)
        return t('list.oneAndMore', {a, count: total - 1, total});
    return t('list.more', {a, b, count: total - 2, total});
}
