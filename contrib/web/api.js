// SPDX-License-Identifier: BSD-2-Clause
// Renders api.json (doc/openapi.yaml and doc/asyncapi.yaml): one article for each operation, frame, event and resource,
// a filter over all, and an address for each. Text gets in by textContent alone.

const byId = (id) => document.getElementById(id);

function h(tag, attributes = {}, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
        if (value !== undefined)
            e.setAttribute(name, value);
    e.append(...children.flat(Infinity).filter((c) => c !== undefined && c !== null));
    return e;
}

// ---- the few marks that the descriptions use ----

const inline = (text) =>
    text.split(/(`[^`]+`)/).map((part) => part.startsWith('`') ? h('code', {}, part.slice(1, -1)) : part);

function tableOf(lines) {
    const cells = (line) => line.trim().replace(/^\||\|$/g, '').split('|').map((c) => c.trim());
    const [head, , ...rows] = lines;
    return table(cells(head), rows.map((row) => cells(row).map((c) => h('td', {}, inline(c)))));
}

function prose(text = '') {
    return text.trim().split(/\n\s*\n/).filter(Boolean).map((block) => {
        const lines = block.split('\n');
        if (lines[0].startsWith('|'))
            return tableOf(lines);
        if (lines[0].startsWith('- '))
            return h('ul', {}, block.replace(/^- /, '').split(/\n- /).map((item) => h('li', {}, inline(item))));
        return h('p', {}, inline(block));
    });
}

const table = (head, rows) => h('div', {class: 'scroll'}, h('table', {},
    h('thead', {}, h('tr', {}, head.map((c) => h('th', {scope: 'col'}, c)))),
    h('tbody', {}, rows.map((cells) => h('tr', {}, cells)))));

const code = (value) => h('pre', {}, h('code', {}, typeof value === 'string' ? value : JSON.stringify(value, null, 2)));

// ---- documents ----

let documents;

// What a reference leads to: [node, the name of its document, its own name].
function follow(node, from) {
    let name;
    while (node?.$ref) {
        const [file, pointer] = node.$ref.split('#');
        if (file)
            from = file.includes('openapi') ? 'openapi' : 'asyncapi';
        const steps = pointer.slice(1).split('/').map((s) => s.replace(/~1/g, '/').replace(/~0/g, '~'));
        node = steps.reduce((at, step) => at[step], documents[from]);
        name = steps.at(-1);
    }
    return [node, from, name];
}

const mix = (parts, glue) => parts.flatMap((part, i) => i ? [glue, part] : [part]);

function limitsOf(s) {
    const said = [];
    if (s.maximum !== undefined)
        said.push(`${s.minimum} to ${s.maximum}`);
    else if (s.minimum !== undefined)
        said.push(`from ${s.minimum} on`);
    if (s.maxLength !== undefined)
        said.push(`${s.minLength ?? 0} to ${s.maxLength} characters`);
    if (s.maxItems !== undefined)
        said.push(`up to ${s.maxItems}`);
    if (s.pattern)
        said.push(s.pattern);
    if (s.default !== undefined)
        said.push(`default ${s.default}`);
    return said.join(', ');
}

// The type of a value, with links to the resources it names.
function typeOf(s, from) {
    if (s.$ref) {
        const [, , name] = follow(s, from);
        return [h('a', {href: `#schema-${name}`}, name)];
    }
    if (s.const !== undefined)
        return [h('code', {}, JSON.stringify(s.const))];
    if (s.enum)
        return mix(s.enum.map((v) => h('code', {}, String(v))), ' ');
    if (s.anyOf || s.oneOf)
        return mix((s.anyOf ?? s.oneOf).flatMap((x) => typeOf(x, from)), ' or ');
    if (s.allOf)
        return typeOf(s.allOf[0], from);
    const types = [s.type ?? 'any'].flat().map((t) => t === 'array' && s.items ? ['array of ', ...typeOf(s.items, from)] : [t]);
    return types.flatMap((t, i) => i ? [' or ', ...t] : t);
}

// The members of an object, those of its parts and of what lies in it as well: [path, schema, is required, document].
function membersOf(schema, from, before = '') {
    const [s, doc] = follow(schema, from);
    const found = (s.allOf ?? []).flatMap((part) => membersOf(part, doc, before));
    for (const [name, value] of Object.entries(s.properties ?? {})) {
        found.push([before + name, value, s.required?.includes(name), doc]);
        if (value.items?.properties)
            found.push(...membersOf(value.items, doc, `${before}${name}[].`));
    }
    return found;
}

function schemaView(schema, from) {
    const members = membersOf(schema, from);
    const [s, doc] = follow(schema, from);
    if (!members.length)
        return [h('p', {}, typeOf(s, doc), ' ', h('span', {class: 'limits'}, limitsOf(s)))];
    const rows = members.map(([path, value, must, of]) => [
        h('td', {}, h('code', must ? {class: 'must', title: 'always there'} : {}, path)),
        h('td', {}, typeOf(value, of), ' ', h('span', {class: 'limits'}, limitsOf(value))),
        h('td', {}, inline(value.description ?? follow(value, of)[0].description?.split('\n')[0] ?? '')),
    ]);
    return [table(['member', 'type', ''], rows)];
}

const examplesOf = (media, from) => media.example !== undefined ? [media.example]
    : (media.schema.oneOf ?? [media.schema]).flatMap((s) => follow(s, from)[0].examples ?? []).slice(0, 2);

// ---- articles ----

function article(id, verb, title, about, ...content) {
    return h('article', {id}, h('details', {},
        h('summary', {}, h('span', {class: `verb ${verb}`}, verb.toUpperCase()), h('h3', {}, title), h('span', {class: 'about'}, about)),
        h('div', {}, ...content)));
}

function curlOf(method, path, item, op, body) {
    const parameters = [...item.parameters ?? [], ...op.parameters ?? []].map((p) => follow(p, 'openapi')[0]);
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => parameters.find((p) => p.name === name).example);
    const words = ['curl'];
    if (method !== 'get' && !(method === 'post' && body))
        words.push(`-X ${method.toUpperCase()}`);
    if (op.security === undefined || op.security.length)
        words.push('-H "Authorization: Bearer $TOKEN"');
    if (body !== undefined)
        words.push(`-H 'Content-Type: application/json' -d '${JSON.stringify(body).replaceAll('\'', '\'\\\'\'')}'`);
    return `${words.join(' ')} ${item.servers ? '$ADMIN' : '$URL'}${filled}`;
}

function responseView(status, response) {
    const [r] = follow(response, 'openapi');
    const [type, media] = Object.entries(r.content ?? {})[0] ?? [];
    const problem = type?.includes('problem');
    const codes = problem && media.schema.allOf[1].properties?.code;
    const headers = Object.keys(r.headers ?? {}).filter((name) => name !== 'X-Request-Id');
    return [
        h('td', {}, h('code', {}, status === 'default' ? 'others' : status)),
        h('td', {}, prose(r.description),
            codes ? h('p', {}, mix((codes.enum ?? [codes.const]).map((c) => h('a', {href: '#codes'}, h('code', {}, c))), ' ')) : undefined,
            headers.length ? h('p', {class: 'limits'}, `with ${headers.join(', ')}`) : undefined,
            media && !problem ? [media.schema.type ? undefined : h('p', {}, typeOf(media.schema, 'openapi')), ...examplesOf(media, 'openapi').map(code)] : undefined),
    ];
}

function operationArticle(path, item, method) {
    const op = item[method];
    const parameters = [...op.parameters ?? [], ...item.parameters ?? []].map((p) => follow(p, 'openapi')[0]);
    const media = op.requestBody?.content['application/json'];
    const needs = op.security === undefined ? 'Needs a token.' : op.security.length === 0 ? 'Needs no token.'
        : op.security[0].token.length ? `Needs a token with the scope ${op.security[0].token.join(' ')}.` : 'Needs a token, in one of three ways.';
    return article(op.operationId, method, path, op.summary, prose(op.description),
        h('p', {class: 'about'}, needs, item.servers ? ' On admin.listen alone.' : ''),
        parameters.length ? [h('h4', {}, 'Parameters'), table(['name', 'in', 'type', ''], parameters.map((p) => [
            h('td', {}, h('code', p.required ? {class: 'must'} : {}, p.name)), h('td', {}, p.in),
            h('td', {}, typeOf(p.schema, 'openapi'), ' ', h('span', {class: 'limits'}, limitsOf(p.schema))), h('td', {}, inline(p.description ?? ''))]))] : [],
        media ? [h('h4', {}, op.requestBody.required ? 'Body: ' : 'Body, which may be left out: ', typeOf(media.schema, 'openapi')), ...schemaView(media.schema, 'openapi')] : [],
        method === 'get' && path.endsWith('/ws') ? [] : [h('h4', {}, 'Try it'), ...(media ? examplesOf(media, 'openapi') : [undefined]).map((body) => code(curlOf(method, path, item, op, body)))],
        h('h4', {}, 'Answers'), table(['status', ''], Object.entries(op.responses).map(([status, r]) => responseView(status, r))));
}

function messageView(reference) {
    const [m] = follow(reference, 'asyncapi');
    return [h('h4', {}, m.title), prose(m.description), ...schemaView(m.payload, 'asyncapi'), ...m.examples.map((e) => code(e.payload))];
}

function frameArticle(id, op) {
    const [first] = follow(op.messages[0], 'asyncapi');
    const replies = op.reply?.messages.filter((m) => !m.$ref.endsWith('/errorEvent')) ?? [];
    return article(`${op.action === 'receive' ? 'frame' : 'event'}-${first.name}`, op.action === 'receive' ? 'send' : 'event', first.name, op.title,
        prose(op.description), op.messages.flatMap(messageView),
        replies.length ? [h('h4', {}, 'Answered by'), ...replies.flatMap(messageView), h('p', {}, 'or by ', h('a', {href: '#event-error'}, 'error'), '.')] : []);
}

function closeCodes() {
    const rows = Object.values(documents.asyncapi.channels)[0]['x-close-codes'];
    return article('close-codes', 'close', 'close codes', 'Why a WebSocket ended, and whether to come back',
        table(['code', 'name', 'means', 'connect again?'], rows.map((r) => [h('td', {}, h('code', {}, String(r.code))), h('td', {}, r.name),
            h('td', {}, inline(r.means)), h('td', {}, inline(r.reconnect))])));
}

function codesArticle() {
    const found = new Map();
    for (const r of Object.values(documents.openapi.components.responses)) {
        const refined = r.content?.['application/problem+json']?.schema.allOf[1];
        for (const {properties: p} of refined ? refined.anyOf ?? [refined] : [])
            for (const c of p.code.enum ?? [p.code.const]) {
                const entry = found.get(c) ?? {status: new Set(), when: new Set()};
                entry.status.add(p.status.const);
                entry.when.add(refined.anyOf ? r.description.match(new RegExp(`\\| \`${c}\` \\| (.*) \\|`))[1] : r.description.trim());
                found.set(c, entry);
            }
    }
    const order = documents.openapi.components.schemas.ProblemCode.enum;
    return article('codes', 'error', 'codes of errors', 'What code says in a problem and in an error frame',
        table(['status', 'code', 'when'], order.map((c) => [h('td', {}, [...found.get(c).status].join(', ')), h('td', {}, h('code', {}, c)),
            h('td', {}, [...found.get(c).when].map((w) => h('p', {}, inline(w))))])));
}

function schemaArticle(name, schema, from) {
    return article(`schema-${name}`, 'type', name, schema.description?.split('\n')[0].replaceAll('`', '') ?? '', prose(schema.description),
        ...schemaView(schema, from), ...schema.examples.slice(0, 2).map(code));
}

function* groups() {
    const {openapi, asyncapi} = documents;
    yield ['Introduction', [], prose(openapi.info.description)];
    for (const tag of openapi.tags) {
        const of = Object.entries(openapi.paths).flatMap(([path, item]) => ['get', 'post', 'put', 'delete']
            .filter((method) => item[method]?.tags.includes(tag.name)).map((method) => operationArticle(path, item, method)));
        yield [tag.name, of, prose(tag.description)];
    }
    const frames = Object.entries(asyncapi.operations);
    yield ['WebSocket: you send', frames.filter(([, op]) => op.action === 'receive').map(([id, op]) => frameArticle(id, op)), prose(asyncapi.info.description)];
    yield ['WebSocket: the server sends', frames.filter(([, op]) => op.action === 'send').map(([id, op]) => frameArticle(id, op)), []];
    yield ['Errors and ends', [codesArticle(), closeCodes()], []];
    yield ['Resources', ['openapi', 'asyncapi'].flatMap((from) => Object.entries(documents[from].components.schemas)
        .map(([name, schema]) => schemaArticle(name, schema, from))), []];
}

// ---- the page ----

const parts = []; // {section, heading, entries: [{article, link, text}]}

function render() {
    byId('version').textContent = `${documents.openapi.info.version}: the API`;
    for (const [title, articles, intro] of groups()) {
        const section = h('section', {}, h('h2', {}, title), h('div', {class: 'intro'}, intro), articles);
        const heading = h('h2', {}, title);
        const entries = articles.map((a) => ({
            article: a,
            link: h('a', {href: `#${a.id}`}, a.querySelector('summary').firstChild.textContent.toLowerCase(), ' ', a.querySelector('h3').textContent),
            text: a.textContent.toLowerCase() + ' ' + a.id.toLowerCase(),
        }));
        byId('pages').append(section);
        if (entries.length)
            byId('contents').append(heading, ...entries.map((e) => e.link));
        parts.push({section, heading, entries});
    }
}

function filter() {
    const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, all = 0;
    for (const {section, heading, entries} of parts) {
        let here = 0;
        for (const {article: a, link, text} of entries) {
            const fits = words.every((w) => text.includes(w));
            a.hidden = link.hidden = !fits;
            here += fits;
        }
        section.querySelector('.intro').hidden = words.length > 0;
        section.hidden = heading.hidden = words.length > 0 && !here;
        shown += here;
        all += entries.length;
    }
    byId('found').textContent = words.length ? `${shown} of ${all}` : `${all}`;
}

// Opens what the address names, although the filter would hide it.
function openTarget() {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && byId(id);
    if (!target || target.tagName !== 'ARTICLE')
        return;
    for (const {entries} of parts)
        for (const {article: a, link} of entries) {
            a.classList.toggle('target', a === target);
            if (a === target) {
                link.setAttribute('aria-current', 'true');
                link.scrollIntoView({block: 'nearest'});
            } else {
                link.removeAttribute('aria-current');
            }
        }
    if (target.hidden) {
        byId('filter').value = '';
        filter();
    }
    target.querySelector('details').open = true;
    target.scrollIntoView();
}

function onKey(event) {
    if (event.key === '/' && event.target !== byId('filter')) {
        event.preventDefault();
        byId('filter').select();
    } else if (event.key === 'Escape' && event.target === byId('filter')) {
        byId('filter').value = '';
        filter();
    }
}

try {
    const response = await fetch('api.json');
    if (!response.ok)
        throw new Error(`api.json: ${response.status}`);
    documents = await response.json();
    render();
    filter();
    byId('state').remove();
    byId('filter').addEventListener('input', filter);
    addEventListener('hashchange', openTarget);
    addEventListener('keydown', onKey);
    openTarget();
} catch (error) {
    byId('state').textContent = `The documents could not be shown: ${error.message}`;
    throw error;
}
