# SPDX-License-Identifier: BSD-2-Clause
# A headless Chromium. It is driven by playwright-core in a Node.js of its own, t/browser/driver.js, which is told what to
# do over a pipe. Each page has a browser context of its own: another person's browser. All that the pages exchange with
# the server is held against the documents of the API.
package Tidings::Browser;
use strict;
use warnings;
use IO::Select;
use JSON::PP ();
use Scalar::Util qw(weaken);
use Tidings::Util qw(now patience signal_and_reap spawn);
use Tidings::Witness;

my $json = JSON::PP->new->utf8->allow_nonref;
my $folder = __FILE__ =~ s{lib/Tidings/[^/]*\z}{browser}r;
my @started;

sub program {
	my (@names) = @_;
	for my $name (@names) {
		for my $folder (split /:/, $ENV{PATH} // '') { return "$folder/$name" if -x "$folder/$name" }
	}
	return undef;
}
sub chromium { return program(qw(chromium chromium-browser google-chrome)) }
sub node { return $ENV{NODE} // program('node') }

# Why there can be no browser, or undef.
sub missing {
	return 'no Chromium (Debian: chromium)' if !chromium();
	return 'no playwright-core (contrib/check installs it)' if !-d "$folder/node_modules/playwright-core";
	return 'no Node.js (Debian: nodejs)' if !node();
	return undef;
}

# dir: for the profile and the log.
sub start {
	my ($class, $dir) = @_;
	pipe(my $their_in, my $to) or die "pipe: $!\n";
	pipe(my $from, my $their_out) or die "pipe: $!\n";
	my $pid = spawn(cmd => [node(), "$folder/driver.js", chromium(), 1000 * patience()], log => "$dir/browser.log",
		stdin => $their_in, stdout => $their_out, env => {TMPDIR => $dir});
	$to->autoflush(1);
	my $self = bless {pid => $pid, owner => $$, to => $to, from => $from, in => '', pages => {},
		witness => Tidings::Witness->new, log => "$dir/browser.log"}, $class;
	push @started, $self;
	weaken $started[-1];
	return $self;
}

sub pid { return $_[0]{pid} }
sub witness { return $_[0]{witness} }

# Hears what is left to hear, and ends it.
sub stop {
	my ($self) = @_;
	$self->ask('settle');
	return $self->end;
}

sub end {
	my ($self) = @_;
	return if $self->{owner} != $$;
	my $pid = delete $self->{pid} or return;
	close $self->{$_} for qw(to from);
	signal_and_reap($pid, 'TERM');
	return;
}

sub DESTROY { $_[0]->end }
# Before the folder of the test goes, in which it writes.
END { $_->end for grep { defined } @started }

# Asks the driver for something and returns its answer; errors die.
sub ask {
	my ($self, @what) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print {$self->{to}} $json->encode(\@what), "\n";
	my $answer = $json->decode($self->line($what[0]));
	for (@{$answer->{seen}}) {
		if (defined $_->{fault}) { push @{$self->{pages}{$_->{page}}{faults}}, $_->{fault} }
		else { $self->{witness}->take($_) }
	}
	die "$answer->{error}\n" if defined $answer->{error};
	return $answer->{ok};
}

# The driver gives up after patience(), this a little later.
sub line {
	my ($self, $what) = @_;
	my $deadline = now() + 1.5 * patience();
	my $end;
	while (($end = index $self->{in}, "\n") < 0) {
		IO::Select->new($self->{from})->can_read($deadline - now()) or die "the browser does not answer $what\n";
		sysread($self->{from}, $self->{in}, 1 << 18, length $self->{in}) or die "the browser has ended, see $self->{log}\n";
	}
	return substr $self->{in}, 0, $end + 1, '';
}

# Whether the network of all WebSockets is gone, without a word to either side.
sub cut { my ($self, $gone) = @_; return $self->ask(cut => $gone ? JSON::PP::true : JSON::PP::false) }

# A new person's page at that address, or beside => $page: another tab of that one's. width, height, mobile (with a touch
# screen), before: a script that runs first in every document. permissions: those of the
# browser that the page has without asking, by Chromium's names. worker: the page may have a service worker.
sub page {
	my ($self, $url, %o) = @_;
	$o{beside} = $o{beside}{number} if $o{beside};
	$o{$_} &&= JSON::PP::true for grep { exists $o{$_} } qw(mobile worker);
	my $number = $self->ask(open => $url, \%o);
	my $page = $self->{pages}{$number} //= {faults => []};
	@$page{qw(browser number)} = ($self, $number);
	return bless $page, 'Tidings::Browser::Page';
}

package Tidings::Browser::Page;
use Tidings::Util qw(wait_for);

sub ask { my ($self, $what, @args) = @_; return $self->{browser}->ask($what, $self->{number}, @args) }

# What a page must not do, so far, and once: exceptions, and errors in its console.
sub take_faults { my ($self) = @_; $self->value('0'); return splice @{$self->{faults}} }

# The value of a JavaScript expression.
sub value { my ($self, $expression) = @_; return $self->ask(value => $expression) }

# Waits until the expression is true and returns its value. Playwright's own waiting would evaluate it within the page,
# where the policy forbids that.
sub wait_value {
	my ($self, $expression) = @_;
	return wait_for($expression, sub { eval { $self->value($expression) } });
}

# Waits until an element of the selector shows that text.
sub wait_text { my ($self, $selector, $text) = @_; $self->ask(see => $selector, $text); return $self }

# What a person does. Each waits until it can be done; $selector is the first visible element of it, with that text if one
# is given.
sub click { my ($self, $selector, $text) = @_; $self->ask(click => $selector, $text // ''); return $self }

# The same, and these files from the chooser that it opens.
sub choose_files { my ($self, $selector, $text, @paths) = @_; $self->ask(files => $selector, $text, \@paths); return $self }

# The button of the mouse, where it is: over an element since hover().
sub hover { my ($self, $selector) = @_; $self->ask(hover => $selector); return $self }
# To a place within the window.
sub mouse_to { my ($self, $x, $y) = @_; $self->ask(mouse => 'move', $x, $y); return $self }
sub mouse_down { my ($self) = @_; $self->ask(mouse => 'down'); return $self }
sub mouse_up { my ($self) = @_; $self->ask(mouse => 'up'); return $self }

# A finger there, which stays until release().
sub press { my ($self, $selector) = @_; $self->ask(press => $selector); return $self }
sub release { my ($self) = @_; $self->ask('release'); return $self }

# Keys by their names, pressed where the focus is; "Shift+Tab".
sub key { my ($self, @names) = @_; $self->ask(key => $_) for @names; return $self }

sub hold_key { my ($self, $name) = @_; $self->ask(hold => $name); return $self }
sub let_go_key { my ($self, $name) = @_; $self->ask(let_go => $name); return $self }

# Text, key by key where there is one, into what has the focus; "\n" is the enter key.
sub insert { my ($self, $text) = @_; $self->ask(insert => $text); return $self }

# The same into an element that is clicked on before.
sub type { my ($self, $selector, $text) = @_; return $self->click($selector)->insert($text) }

# And in place of what is there.
sub fill { my ($self, $selector, $text) = @_; $self->ask(fill => $selector, $text); return $self }

# The option of a select element that has this value.
sub select { my ($self, $selector, $option) = @_; $self->ask(select => $selector, $option); return $self }

sub reload { my ($self) = @_; $self->ask('reload'); return $self }
# To another address, or back in the history, and until that document is there. An expression cannot do it: its value is
# lost where the document goes first.
sub go { my ($self, $url) = @_; $self->ask(go => $url); return $self }
sub back { my ($self) = @_; $self->ask('back'); return $self }
sub resize { my ($self, $width, $height) = @_; $self->ask(resize => $width, $height); return $self }
# light or dark, as the system would say
sub theme { my ($self, $theme) = @_; $self->ask(theme => $theme); return $self }
sub close { my ($self) = @_; $self->ask('close'); return }

# Delivers that text to the page's service worker, as a push service would.
sub push_message { my ($self, $data) = @_; $self->ask(push => $data); return $self }
# The value of a JavaScript expression in its service worker.
sub worker_value { my ($self, $expression) = @_; return $self->ask(in_worker => $expression) }

# What a screen reader is told: [role, name] of everything that can be operated or is a picture, nameless ones too.
sub accessible {
	my ($self) = @_;
	my %wanted = map { $_ => 1 } qw(button link textbox searchbox checkbox radio combobox tab menuitem img dialog image);
	return map { [$_->{role}{value}, $_->{name}{value} // ''] }
		grep { !$_->{ignored} && $wanted{lc($_->{role}{value} // '')} } @{$self->ask(cdp => 'Accessibility.getFullAXTree')->{nodes}};
}

# For the developer's eyes.
sub screenshot { my ($self, $path) = @_; $self->ask(screenshot => $path); return $self }

1;
