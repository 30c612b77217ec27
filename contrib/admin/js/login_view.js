// SPDX-License-Identifier: BSD-2-Clause
// Takes a token, if the server accepts it.
import {el, icon} from '../../web/js/dom.js';
import {Api} from './api.js';
import {hasText, reasonOf, t} from './i18n.js';

// onEntered(token). why: the code with which the last token ended, or null.
export class LoginView {
    #token = el('input', {id: 'token', name: 'token', type: 'password', required: true, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'token-hint token-kept'});
    #fault = el('p.fault', {role: 'alert'});
    #submit = el('button.primary', {type: 'submit'}, t('login.submit'));
    #onEntered;

    constructor(onEntered, why) {
        this.#onEntered = onEntered;
        this.node = el('main.login', {}, el('form.login-card', {onsubmit: (event) => this.#enter(event)},
            el('div.logo', {}, icon('logo')), el('h1', {}, t('login.heading')),
            el('div.field', {}, el('label', {for: 'token'}, t('login.token')), this.#token),
            this.#fault, this.#submit,
            el('p.hint', {id: 'token-hint'}, t('login.hint'), el('code', {}, 'tidingsctl token NAME --scope admin --ttl 3600')),
            el('p.hint', {id: 'token-kept'}, t('login.kept'))));
        if (why !== null)
            this.#fault.textContent = faultText({code: why});
    }

    focus() {
        this.#token.focus();
    }

    async #enter(event) {
        event.preventDefault();
        const token = this.#token.value.trim();
        if (token === '')
            return;
        this.#submit.disabled = true;
        this.#fault.textContent = '';
        try {
            await new Api(token, () => {}).stats();
            this.#onEntered(token);
        } catch (refused) {
            this.#fault.textContent = faultText(refused);
            this.#submit.disabled = false;
            this.#token.focus();
        }
    }
}

function faultText(refused) {
    return hasText(`login.${refused.code}`) ? t(`login.${refused.code}`) : reasonOf(refused);
}
