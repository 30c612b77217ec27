// SPDX-License-Identifier: BSD-2-Clause
// Asks before something is done to somebody, and says what was done.
import {el, textButton} from '../../web/js/dom.js';
import {t} from './i18n.js';

// Resolves to whether the administrator agrees.
export function confirm(text, yes) {
    return new Promise((resolve) => {
        const dialog = el('dialog.dialog.ask', {'aria-labelledby': 'ask-text', onclose: () => {
            dialog.remove();
            resolve(dialog.returnValue === 'yes');
        }},
        el('p', {id: 'ask-text', dir: 'auto'}, text),
        el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()),
            textButton('danger', yes, () => dialog.close('yes'))));
        document.body.append(dialog);
        dialog.showModal();
    });
}

// Who logs out, or is logged out, is asked nothing any more.
export function closeAll() {
    document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close());
}
