# SPDX-License-Identifier: BSD-2-Clause
# What the database is asked, from its own log, and what is wrong with the way it goes about each statement.
package Tidings::Explain;
use strict;
use warnings;
use Exporter 'import';
use Tidings::Util qw(slurp);

our @EXPORT_OK = qw(log_start log_stop logged statements plan_faults sql_pieces was_asked);

# All connections but $dbh's own are logged.
sub log_start {
	my ($dbh) = @_;
	$dbh->do($_) for 'SET GLOBAL log_output = \'TABLE\'', 'TRUNCATE mysql.general_log', 'SET GLOBAL general_log = 1';
	return;
}

sub log_stop { my ($dbh) = @_; $dbh->do('SET GLOBAL general_log = 0'); return }

# The texts so far, each once; those of $dbh and of the connections in @others left out.
sub logged {
	my ($dbh, @others) = @_;
	my $own = join ',', map { $_->selectrow_array('SELECT CONNECTION_ID()') } $dbh, @others;
	return @{$dbh->selectcol_arrayref("SELECT DISTINCT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE command_type = 'Query' AND thread_id NOT IN ($own)")};
}

# The statements of texts, each once, without those that touch no table.
sub statements {
	my %seen;
	for my $text (@_) {
		$seen{$_} = 1 for $text =~ /\G((?:[^;']++|'(?:[^'\\]++|\\.)*+')++);?/gs;
	}
	return sort grep { /^\s*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|\()/ && /\b(?:FROM|INTO|UPDATE)\b/ } keys %seen;
}

# Texts about the plan of a statement, none if it is fine. A derived table is read whole and may be sorted: what it is
# made of has rows of its own in the plan. A row without a number of rows is where an INSERT puts its values. One that
# reads the table it writes to keeps what it has read; that it reads few rows is shown by the rest of its plan.
sub plan_faults {
	my ($dbh, $statement) = @_;
	my @faults;
	my $keeps = $statement =~ /\AINSERT INTO (\w+) .* FROM \1 /s;
	for my $row (@{$dbh->selectall_arrayref("EXPLAIN $statement", {Slice => {}})}) {
		my ($table, $type, $extra) = map { $_ // '' } @$row{qw(table type Extra)};
		next if $table eq '' || $table =~ /^</ || !defined $row->{rows};
		push @faults, "$table: reads all rows" if $type eq 'ALL';
		push @faults, "$table: reads all of index $row->{key}" if $type eq 'index';
		$extra =~ s/Using temporary(?!; Using filesort)// if $keeps;
		push @faults, "$table: $1" if $extra =~ /(Using temporary(?:; Using filesort)?|Using filesort)/;
	}
	return @faults;
}

# The pieces of SQL in C files that name a table, as texts with something else between each two.
sub sql_pieces {
	my @pieces;
	for my $file (@_) {
		for my $literal (slurp($file) =~ /"((?:[^"\\\n]|\\.)*)"/g) {
			next if $literal !~ /\b(?:FROM|JOIN|INTO|UPDATE) [a-z]/;
			push @pieces, [split /%(?:ll)?[sdu]/, $literal, -1];
		}
	}
	return @pieces;
}

# Whether one of the texts has the piece.
sub was_asked {
	my ($texts, $piece) = @_;
	TEXT: for my $text (@$texts) {
		my $at = 0;
		for my $part (@$piece) {
			my $found = index $text, $part, $at;
			next TEXT if $found < 0;
			$at = $found + length $part;
		}
		return 1;
	}
	return 0;
}

1;
