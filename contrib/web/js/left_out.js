// SPDX-License-Identifier: BSD-2-Clause
// Tells who could not be added to a group, and why.
import {el, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {hasText, t} from './i18n.js';

export function leftOutText(chat, {user_id, code}) {
    const key = `leftOut.${code}`;
    return t(hasText(key) ? key : 'leftOut.other', {name: chat.people.name(user_id)});
}

// leftOut: [{user_id, code}]; nothing is told where it is empty.
export function tellLeftOut(chat, leftOut) {
    if (leftOut.length === 0)
        return;
    const dialog = openDialog(t('leftOut.title'), el('ul.left-out', {}, leftOut.map((one) => el('li', {'data-user': one.user_id}, leftOutText(chat, one)))),
        el('div.buttons', {}, textButton('primary', t('dialog.ok'), () => dialog.close())));
}
