# SPDX-License-Identifier: BSD-2-Clause
# The chat page of contrib/web for tests: a node that serves it, a browser, and what people do on it.
#
#	my $web = Tidings::Web->start;
#	my $ann = $web->enter('ann');            # logged in, by a link with a token
#	$ann->open_chat('ben')->say_text('hello');
package Tidings::Web;
use strict;
use warnings;
use Tidings;
use Tidings::Browser;
use Tidings::Util qw(run slurp);

# Writes the service worker for the files that are there now.
sub write_worker {
	my ($root) = @_;
	my $top = Tidings::top();
	my ($status, $out, $err) = run(Tidings::dir(), 'sh', '-c', "'$top/contrib/page-files' '$root' '$top/contrib/web/sw.js' > '$root/sw.js.new' && mv '$root/sw.js.new' '$root/sw.js'");
	die "there is no service worker: $err\n" if $status;
	return;
}

# The document root as `make install` lays it out.
sub docroot {
	my $root = Tidings::dir() . '/web';
	my ($status, $out, $err) = run(Tidings::dir(), 'cp', '-R', Tidings::Server::build_dir() . '/pages/web', $root);
	die "the page cannot be laid out: $err\n" if $status;
	return $root;
}

# The modules of the pages and of the client, each for itself, as they lie below contrib/.
sub modules {
	my ($folder) = @_;
	my $contrib = Tidings::top() . '/contrib';
	my $build = Tidings::Server::build_dir();
	my ($status, $out, $err) = run(Tidings::dir(), 'sh', '-c', "mkdir -p '$folder/web' '$folder/admin' '$folder/client' && cp -R '$contrib/web/js' '$folder/web'"
		. " && cp -R '$contrib/admin/js' '$folder/admin' && cp -R '$contrib/client/src' '$folder/client' && cp '$build/emoji_data.js' '$folder/web/js'");
	die "the modules cannot be copied: $err\n" if $status;
	return $folder;
}

# conf, workers, as Tidings->start takes them. A message can be recalled for as long as a slow machine takes to come to it.
sub start {
	my ($class, %o) = @_;
	my $root = docroot();
	my $t = Tidings->start(workers => 2, %o, conf => Tidings::Conf::conf_merge({http => {docroot => $root}, limits => {logins_per_minute => 0}, message => {recall_window => 86400}}, $o{conf}));
	return bless {t => $t, browser => Tidings::Browser->start(Tidings::dir()), root => $root}, $class;
}

sub t { return $_[0]{t} }
sub root { return $_[0]{root} }
# The files that the service worker is to keep, as sw.js names them.
sub root_files { my ($self) = @_; my ($list) = slurp("$self->{root}/sw.js") =~ /\A([^\n]*)/; return $list =~ /"([^"]+)": (?:null|")/g }
sub browser { return $_[0]{browser} }
sub address { my ($self) = @_; return 'http://' . $self->{t}->node->address }

# What short notes have said, which do not stay.
my $keep_notes = q{{ window.notesSaid = []; new MutationObserver((changes) => changes.forEach(({addedNodes}) => addedNodes.forEach((node) =>
	node.matches?.('.note') && notesSaid.push(node.textContent)))).observe(document, {childList: true, subtree: true}); }};

# The page of someone who is not logged in; options of Tidings::Browser's page().
sub visit {
	my ($self, %o) = @_;
	$o{before} = "$keep_notes\n" . ($o{before} // '');
	my $page = $self->{browser}->page($self->address . '/' . ($o{hash} // ''), %o);
	return bless $page, 'Tidings::Web::Page';
}

# The page of a user, caught up.
sub enter {
	my ($self, $user, %o) = @_;
	my $page = $self->visit(hash => '#token=' . $self->{t}->token($user), %o);
	return $page->wait_online;
}

# A group of friends, made by the first of them; its id. fields: those of POST /groups.
sub group {
	my ($self, $name, $owner, $members, %fields) = @_;
	my $made = $self->t->api($owner)->post('/groups', {name => $name, user_ids => $members, %fields});
	die 'no group: ' . $made->body . "\n" if $made->status != 201;
	return $made->json->{id};
}

# Sends to a group over HTTP and returns the message.
sub say_in {
	my ($self, $user, $group, $text, %more) = @_;
	my $sent = $self->t->api($user)->post('/messages/send', {conversation_id => $group, message_type => 'text', content => $text, %more});
	die 'not sent: ' . $sent->body . "\n" if $sent->status != 201;
	return $sent->json;
}

sub stop { my ($self) = @_; $self->{browser}->stop; $self->{t}->stop; return }

package Tidings::Web::Page;
use parent -norequire, 'Tidings::Browser::Page';
use JSON::PP ();

sub wait_online { my ($self) = @_; $self->wait_value(q{document.querySelector('.mine .dot.online')}); return $self }

sub register {
	my ($self, $user, $password, $nickname) = @_;
	$self->click('.modes button:nth-child(2)');
	$self->fill('input[name=username]', $user)->fill('input[name=password]', $password)->fill('input[name=nickname]', $nickname);
	return $self->click('.login .primary');
}

sub log_in {
	my ($self, $user, $password) = @_;
	return $self->fill('input[name=username]', $user)->fill('input[name=password]', "$password\n");
}

# Opens the conversation and waits for its messages.
sub open_chat {
	my ($self, $peer) = @_;
	my $p = JSON::PP->new->allow_nonref->encode($peer);
	$self->click(".chat[data-user=$p]");
	$self->wait_value("document.querySelector('.chat[aria-current]')?.dataset.user === $p && document.querySelector('.room-title h2').checkVisibility()");
	$self->wait_value(q{document.querySelector('.row')});
	return $self;
}

# The same for a group, by its id.
sub open_group {
	my ($self, $id) = @_;
	$self->click(".chat[data-group='$id']");
	$self->wait_value("document.querySelector('.chat[aria-current]')?.dataset.group === '$id' && document.querySelector('.room-title h2').checkVisibility()");
	$self->wait_value(q{document.querySelector('.row')});
	return $self;
}

# Opens what there is about the open group, at that tab.
sub open_panel {
	my ($self, $tab) = @_;
	$self->click('.group-info')->click(".group-tabs [data-tab=$tab]");
	$self->wait_value("!document.querySelector('#group-panel-$tab').hidden");
	return $self;
}

sub close_panel { my ($self) = @_; return $self->click('.group-dialog > header button')->wait_gone('.group-dialog') }

# The lines between the messages that tell what has happened to the group.
my $events = q{[...document.querySelectorAll('.system')].map((e) => e.textContent)};
sub events { my ($self) = @_; return $self->value($events) }
# Waits until they are these, or the last of them is that: messages and names come by requests of their own.
sub wait_events { my ($self, @texts) = @_; my $t = JSON::PP->new->encode(\@texts); $self->wait_value("JSON.stringify($events) === JSON.stringify($t)"); return $self }
sub wait_event { my ($self, $text) = @_; my $t = JSON::PP->new->allow_nonref->encode($text); $self->wait_value("$events.at(-1) === $t"); return $self }

# Waits until the page knows these friends, whom it asks for after the conversations.
sub wait_friends { my ($self, @users) = @_; $self->wait_value("document.querySelector('[data-section=friends] [data-user=$_]')") for @users; return $self }

sub say_text { my ($self, $text) = @_; return $self->type('#compose', "$text\n") }

# Chooses from the menu of a message, a person or a conversation.
sub choose { my ($self, $row, $item) = @_; return $self->click("$row .more")->click('[role=menuitem]', $item) }

# Agrees with what is asked.
sub agree { my ($self) = @_; return $self->click('.ask .danger') }

# What the messages on the page say, from top to bottom.
sub texts { my ($self) = @_; return $self->value(q{[...document.querySelectorAll('.message .text')].map((e) => e.textContent)}) }

# Waits until the last message says that.
sub wait_last {
	my ($self, $text) = @_;
	my $t = JSON::PP->new->allow_nonref->encode($text);
	$self->wait_value("[...document.querySelectorAll('.message')].at(-1)?.querySelector('.text')?.textContent === $t");
	return $self;
}

# The same, and that the server has it: what one writes oneself is shown before that.
sub wait_stored {
	my ($self, $text) = @_;
	my $t = JSON::PP->new->allow_nonref->encode($text);
	$self->wait_value("(() => { const last = [...document.querySelectorAll('.message')].at(-1); return last?.querySelector('.text')?.textContent === $t && last.dataset.seq !== undefined; })()");
	return $self;
}

# Waits until that is what is being written. An edit that was saved leaves the composer when the server has answered, which may be
# after everybody sees it.
sub wait_composer { my ($self, $text) = @_; my $t = JSON::PP->new->allow_nonref->encode($text); $self->wait_value("document.querySelector('#compose').value === $t"); return $self }

# Waits until a short note has said that, also one that has gone again. Each counts once.
sub wait_note {
	my ($self, $text) = @_;
	my $t = JSON::PP->new->allow_nonref->encode($text);
	$self->wait_value("(() => { const at = notesSaid.findIndex((note) => note.includes($t)); return at >= 0 && notesSaid.splice(at, 1); })()");
	return $self;
}

sub count { my ($self, $selector) = @_; my $s = JSON::PP->new->allow_nonref->encode($selector); return $self->value("document.querySelectorAll($s).length") }
sub wait_count { my ($self, $selector, $n) = @_; my $s = JSON::PP->new->allow_nonref->encode($selector); $self->wait_value("document.querySelectorAll($s).length === $n"); return $self }
sub wait_gone { my ($self, $selector) = @_; return $self->wait_count($selector, 0) }

# Faults but for requests that the server refused, which is the browser's note on what the page shows itself.
sub own_faults { my ($self) = @_; return grep { !/Failed to load resource: the server responded with a status of 4\d\d/ } $self->take_faults }

1;
