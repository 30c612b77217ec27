// SPDX-License-Identifier: BSD-2-Clause
// Sending a picture, sound, film or file: by its address, for this server keeps no files. Shows how it will look.
import {el, icon, textButton, webUrl} from './dom.js';
import {openDialog} from './dialog.js';
import {field} from './field.js';
import {t} from './i18n.js';
import {mediaOf} from './media.js';
import {wishedName} from './names.js';

const KINDS = {image: 'image', voice: 'mic', video: 'video', file: 'file'};
const ENDINGS = {image: /\.(png|jpe?g|gif|webp|avif|svg)$/i, voice: /\.(mp3|m4a|ogg|opus|wav|aac)$/i,
    video: /\.(mp4|webm|mov|m4v)$/i};

// The kind that the address looks like, or null.
function kindOf(url) {
    const {pathname} = new URL(url);
    return Object.keys(ENDINGS).find((kind) => ENDINGS[kind].test(pathname)) ?? null;
}

// send({type, media_url, content, extra})
export function openAttachDialog(send) {
    const url = el('input', {type: 'url', required: true, maxlength: '2048', placeholder: t('attach.urlHint'), inputmode: 'url'});
    const caption = el('input', {type: 'text', dir: 'auto', maxlength: '4000'});
    const fileName = el('input', {type: 'text', dir: 'auto', maxlength: '200'});
    const fileNameField = field(t('attach.fileName'), fileName);
    const fault = el('p.fault', {role: 'alert'});
    const preview = el('div.preview');
    const kinds = Object.entries(KINDS).map(([kind, symbol]) => el('label', {},
        el('input', {type: 'radio', name: 'kind', value: kind, checked: kind === 'image'}), icon(symbol), t(`media.${kind}`)));
    const form = el('form', {novalidate: true},
        el('p.hint', {}, t('attach.hint')),
        el('fieldset.kinds', {}, el('legend', {}, t('attach.kind')), kinds),
        field(t('attach.url'), url), fault, fileNameField, field(t('attach.caption'), caption),
        el('section', {'aria-label': t('attach.preview')}, preview),
        el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()),
            el('button.primary', {type: 'submit'}, t('composer.send'))));
    const dialog = openDialog(t('attach.title'), form);
    const chosen = () => new FormData(form).get('kind');

    const message = () => {
        const {name} = wishedName(fileName);
        return {type: chosen(), media_url: webUrl(url.value.trim()), content: caption.value.trim() || null,
            extra: chosen() === 'file' && name !== null ? {file_name: name} : null};
    };
    const show = () => {
        const {type, ...rest} = message();
        fileNameField.hidden = type !== 'file';
        preview.replaceChildren(...rest.media_url ? [mediaOf({message_type: type, ...rest}, t('message.you'))] : []);
    };
    url.addEventListener('change', () => {
        const address = webUrl(url.value.trim());
        const kind = address && kindOf(address);
        if (kind)
            form.elements.kind.value = kind;
    });
    form.addEventListener('change', show);
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        const ready = message();
        const nameFault = ready.type === 'file' ? wishedName(fileName).fault : null;
        fault.textContent = ready.media_url === null ? t('attach.bad') : nameFault ?? '';
        if (fault.textContent !== '') {
            (ready.media_url === null ? url : fileName).focus();
            return;
        }
        dialog.close();
        send(ready);
    });
    show();
    url.focus();
}
