// SPDX-License-Identifier: BSD-2-Clause
// Logging in, and making an account.
import {Problem} from '../../client/src/index.js';
import {deviceLabel} from './device_label.js';
import {el, icon} from './dom.js';
import {field} from './field.js';
import {reasonOf, t} from './i18n.js';
import {wishedName} from './names.js';
import {passwordFault, passwordField} from './password_field.js';
import {languageField} from './settings.js';

const REASONS = {credentials_invalid: 'login.wrong', conflict: 'login.taken', not_found: 'login.noAccounts'};

export class LoginView {
    #rest;
    #onAccount;
    #registering = false;
    #userId = el('input', {type: 'text', name: 'username', required: true, maxlength: '64', autocapitalize: 'none',
        autocomplete: 'username', spellcheck: 'false', pattern: '[A-Za-z0-9._@:\\-]+'});
    #password;
    #nickname = el('input', {type: 'text', name: 'nickname', maxlength: '64', dir: 'auto', autocomplete: 'nickname'});
    #kept = el('input', {type: 'checkbox', name: 'keep'});
    #fault = el('p.fault', {role: 'alert'});
    #submit = el('button.primary', {type: 'submit'});
    #modes;
    #tabs = el('div.modes', {role: 'tablist'});
    #nicknameField = field(t('login.nickname'), this.#nickname);
    node;

    // rest: a REST client without a token; onAccount(what the server answers, kept); reason: why one has to log in, or ''
    constructor(rest, reason, onAccount) {
        this.#rest = rest;
        this.#onAccount = onAccount;
        this.#fault.textContent = reason;
        this.#modes = [false, true].map((registering) => el('button', {type: 'button', role: 'tab', onclick: () => {
            this.#fault.textContent = '';
            this.#setMode(registering);
        }}, t(registering ? 'login.register' : 'login.title')));
        this.#tabs.append(...this.#modes);
        const password = passwordField(t('login.password'), {name: 'password'}, t('login.passwordHint'));
        this.#password = password.input;
        this.node = el('main.login', {}, el('div.login-card', {},
            el('header', {}, el('span.logo', {}, icon('logo')), el('h1', {}, t('app.title')), el('p', {}, t('app.tagline'))),
            this.#tabs,
            el('form', {onsubmit: (event) => this.#send(event)}, field(t('login.userId'), this.#userId, t('login.userIdHint')),
                password.node, this.#nicknameField,
                el('label.check', {}, this.#kept, t('login.keep')), this.#fault, this.#submit)), languageField());
        this.#setMode(false);
    }

    focus() {
        this.#userId.focus();
    }

    #setMode(registering) {
        this.#registering = registering;
        this.#modes.forEach((mode, i) => mode.setAttribute('aria-selected', String((i === 1) === registering)));
        this.#nicknameField.hidden = !registering;
        this.#password.autocomplete = registering ? 'new-password' : 'current-password';
        this.node.classList.toggle('registering', registering);
        this.#submit.textContent = t(registering ? 'login.submitRegister' : 'login.submit');
    }

    // Nobody can register here, which the server says only when asked to: then it is not offered any more.
    #closeRegistration() {
        this.#tabs.hidden = true;
        this.#setMode(false);
    }

    #faultOf(problem) {
        if (problem.code === 'forbidden')
            return t(this.#registering ? 'login.closed' : 'login.disabled');
        return REASONS[problem.code] ? t(REASONS[problem.code]) : reasonOf(problem);
    }

    async #send(event) {
        event.preventDefault();
        const account = {user_id: this.#userId.value.trim(), password: this.#password.value, device: deviceLabel()};
        const {name, fault} = wishedName(this.#nickname);
        if (this.#registering && fault !== null) {
            this.#fault.textContent = fault;
            this.#nickname.focus();
            return;
        }
        if (this.#registering && passwordFault(account.password) !== null) {
            this.#fault.textContent = passwordFault(account.password);
            this.#password.focus();
            return;
        }
        this.#submit.disabled = true;
        this.#submit.textContent = t('login.busy');
        this.#fault.textContent = '';
        try {
            const answer = this.#registering ?
                await this.#rest.register({...account, nickname: name ?? undefined}) :
                await this.#rest.login(account);
            await this.#onAccount(answer, this.#kept.checked);
        } catch (error) {
            if (!(error instanceof Problem))
                throw error;
            this.#fault.textContent = this.#faultOf(error);
            if (this.#registering && error.code === 'forbidden')
                this.#closeRegistration();
        } finally {
            this.#submit.disabled = false;
            this.#setMode(this.#registering);
        }
    }
}
