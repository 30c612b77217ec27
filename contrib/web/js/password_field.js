// SPDX-License-Identifier: BSD-2-Clause
// A password with a button that shows it.
import {el, iconButton} from './dom.js';
import {field} from './field.js';
import {t} from './i18n.js';

const MIN_BYTES = 8; // the server counts bytes, minlength counts characters

// {input, node}. attributes: of the input.
export function passwordField(label, attributes, hint = null) {
    const input = el('input', {type: 'password', required: true, ...attributes});
    const node = field(label, input, hint);
    const show = iconButton('eye', t('login.show'), () => {
        const shown = input.type === 'text';
        input.type = shown ? 'password' : 'text';
        show.setAttribute('aria-pressed', String(!shown));
    }, {'aria-pressed': 'false'});
    node.classList.add('with-button');
    node.append(show);
    return {input, node};
}

// What is wrong with a new password, in words, or null.
export function passwordFault(password) {
    return new TextEncoder().encode(password).length < MIN_BYTES ? t('field.password') : null;
}
